#include "tools/groupcast/findings.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/groupcast/exit_code.h"
#include "tools/groupcast/token_claims.h"

namespace groupcast::cli {
namespace {

using Level = Finding::Level;

// A program that uses clocks is not disturbed by this.
constexpr absl::Duration kClockOk = absl::Seconds(5);
// --token_leeway of the services: beyond it, they refuse fresh tokens.
constexpr absl::Duration kClockWarn = absl::Seconds(30);
constexpr absl::Duration kCertificateWarn = absl::Hours(14 * 24);
// A service has a descriptor for each connection.
constexpr uint64_t kDescriptorsOk = 65536;

std::string Seconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Seconds(1)));
}

std::string Days(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Hours(duration) / 24, " days");
}

}  // namespace

Finding JudgeConnection(const std::string& url, const absl::Status& status, absl::Duration took) {
  if (status.ok()) {
    return {Level::kOk, "WebSocket",
            absl::StrFormat("%s lets this client in, after %.1f ms", url,
                            absl::ToDoubleMilliseconds(took)),
            ""};
  }
  std::string advice;
  if (absl::IsUnauthenticated(status) || absl::StrContains(status.message(), "HTTP 401")) {
    advice =
        "The service has token keys: set GROUPCAST_TOKEN. `groupcast token make` makes a token.";
  } else if (absl::StrContains(status.message(), "refused") &&
             ExitCodeOf(status) == ExitCode::kNotReachable) {
    advice =
        "Nothing listens there. Start the services (tools/up in a clone, systemctl start groupcast "
        "with the package), or name the right address with --url or GROUPCAST_URL.";
  } else if (absl::IsDeadlineExceeded(status)) {
    advice = "A firewall may drop the connection, or the server stands still.";
  } else if (absl::IsFailedPrecondition(status)) {
    advice = "If this is about the certificate, see the line \"certificate\".";
  } else {
    advice = "See the log of the WebSocket service.";
  }
  return {Level::kFail, "WebSocket", absl::StrCat(url, ": ", status.message()), advice};
}

Finding JudgeGateway(const GatewayOptions& options, const absl::Status& status) {
  if (status.ok()) return {Level::kOk, "gateway", absl::StrCat(options.url, " is ready"), ""};
  const std::string text = GatewayError(options, status);
  if (ExitCodeOf(status) != ExitCode::kNotReachable) {
    return {Level::kFail, "gateway", text, "Is this the address of an HTTP gateway of Groupcast?"};
  }
  if (absl::StartsWith(status.message(), "HTTP 503")) {
    return {Level::kFail, "gateway", absl::StrCat(options.url, " runs, but is not ready"),
            "It has no channel, or it stops. Is the channel server up?"};
  }
  return {
      Level::kWarn, "gateway", text,
      "Publishing and reading by HTTP, tail, top and status need it. Start http_gateway, or name "
      "its address with --gateway or GROUPCAST_GATEWAY."};
}

Finding JudgeClock(absl::Duration ahead) {
  const absl::Duration off = absl::AbsDuration(ahead);
  const std::string text =
      off < absl::Seconds(2)
          ? "this machine and the server have the same time"
          : absl::StrCat("this machine is ", Seconds(off),
                         ahead > absl::ZeroDuration() ? " before" : " behind", " the server");
  const Level level = off <= kClockOk     ? Level::kOk
                      : off <= kClockWarn ? Level::kWarn
                                          : Level::kFail;
  return {level, "clock", text,
          level == Level::kOk ? ""
                              : "Tokens are refused if clocks differ by more than 30 s. Let NTP "
                                "set both clocks (timedatectl)."};
}

Finding JudgeDescriptors(uint64_t now, uint64_t most) {
  const bool few = most < kDescriptorsOk;
  return {few ? Level::kWarn : Level::kOk, "descriptors",
          absl::StrCat("a program of this shell may have ", most, " open files (", now,
                       " until it asks for more)"),
          few ? "A service that is started here takes fewer connections than that. Raise the hard "
                "limit (ulimit -Hn, limits.conf, LimitNOFILE of systemd)."
              : ""};
}

std::vector<Finding> JudgeServices(const std::vector<ServiceRow>& services,
                                   const std::string& own_version) {
  std::vector<Finding> findings;
  std::set<std::string> versions;
  for (const ServiceRow& service : services) {
    const std::string known = service.BuildInfo("service");
    const std::string name = known.empty() ? service.address : known;
    const std::string version = service.BuildInfo("version");
    if (!version.empty()) versions.insert(version);
    if (service.up && service.ready) {
      findings.push_back({Level::kOk, "service", absl::StrCat(name, " is ready"), ""});
    } else {
      findings.push_back(
          {Level::kFail, "service",
           absl::StrCat(name, service.up ? " is not ready" : " is not up",
                        service.reason.empty() ? "" : ": ", service.reason),
           absl::StrCat("Ask its admin port: curl http://", service.address, "/readyz")});
    }
  }
  versions.insert(own_version);
  const bool equal = versions.size() == 1;
  findings.push_back({equal ? Level::kOk : Level::kWarn, "versions",
                      equal ? absl::StrCat("all programs have version ", own_version)
                            : absl::StrCat("there are several: ", absl::StrJoin(versions, ", "),
                                           "; this program has ", own_version),
                      equal ? "" : "That is right during a rolling upgrade alone."});
  return findings;
}

Finding JudgeCertificate(const std::string& url, const absl::StatusOr<Certificate>& certificate,
                         absl::Time now) {
  const std::string subject = "certificate";
  if (!certificate.ok()) {
    return {Level::kFail, subject, absl::StrCat(url, ": ", certificate.status().message()),
            "The server does not speak TLS there, or is away."};
  }
  if (certificate->valid_until <= now) {
    return {Level::kFail, subject,
            absl::StrCat(url, " has a certificate that expired ",
                         Days(now - certificate->valid_until), " ago"),
            "Renew it. The services take a new file up by themselves."};
  }
  if (!certificate->problem.empty()) {
    return {Level::kFail, subject, absl::StrCat(url, " is not trusted: ", certificate->problem),
            "Name the CA with --ca_file, or use the host name of the certificate."};
  }
  const absl::Duration rest = certificate->valid_until - now;
  const bool soon = rest < kCertificateWarn;
  return {soon ? Level::kWarn : Level::kOk, subject,
          absl::StrCat(url, " has a valid certificate, for ", Days(rest), " more"),
          soon ? "Renew it soon." : ""};
}

Finding JudgeToken(const std::string& token, absl::Time now) {
  const absl::StatusOr<ReadableToken> readable = ReadToken(token);
  if (!readable.ok()) {
    return {Level::kFail, "token", "what GROUPCAST_TOKEN or --token_file has is no token",
            "groupcast token make makes one."};
  }
  const bool good = IsInTime(*readable, now);
  return {good ? Level::kOk : Level::kFail, "token",
          absl::StrCat("the token ", ValidityText(*readable, now)), good ? "" : "Get a fresh one."};
}

}  // namespace groupcast::cli
