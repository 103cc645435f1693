#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/version.h"
#include "tools/groupcast/certificate.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/findings.h"
#include "tools/groupcast/gateway.h"
#include "tools/groupcast/live_client.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(It connects as a client does, asks the gateway, and compares clocks, versions and limits. Each line
is ok, warn or fail, and below it is what to do. The exit code is 1 if a line is fail.

Examples:
  groupcast doctor
  groupcast doctor --url=wss://chat.example --gateway=https://api.chat.example)";

constexpr absl::Duration kTimeout = absl::Seconds(5);

struct Arguments {
  ServerOptions server;
  GatewayOptions gateway;
};

std::string LevelText(const Finding& finding, const Console& console) {
  switch (finding.level) {
    case Finding::Level::kOk:
      return console.OutColour(Colour::kGreen, "ok  ");
    case Finding::Level::kWarn:
      return console.OutColour(Colour::kYellow, "warn");
    case Finding::Level::kFail:
      return console.OutColour(Colour::kRed, "fail");
  }
  return "";
}

class Doctor {
 public:
  Doctor(const Arguments& arguments, const Gateway& gateway, Console* console)
      : arguments_(arguments), gateway_(gateway), console_(console) {}

  ExitCode Run() {
    LookAtToken();
    if (absl::StartsWith(arguments_.server.url, "wss://")) {
      // The parser for gateways knows hosts and ports too.
      LookAtCertificate(arguments_.server.url,
                        absl::StrCat("https://", arguments_.server.url.substr(6)));
    }
    LookAtWebSocket();
    if (gateway_.url().tls) LookAtCertificate(arguments_.gateway.url, arguments_.gateway.url);
    LookAtGateway();
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    Tell(JudgeDescriptors(limit.rlim_cur, limit.rlim_max));
    return has_failed_ ? ExitCode::kFailed : ExitCode::kDone;
  }

 private:
  void Tell(const Finding& finding) {
    has_failed_ = has_failed_ || finding.level == Finding::Level::kFail;
    std::string text = absl::StrCat(LevelText(finding, *console_), "  ", finding.subject, ": ",
                                    Harmless(finding.text), "\n");
    if (!finding.advice.empty()) absl::StrAppend(&text, "      ", finding.advice, "\n");
    console_->Print(text);
  }

  void LookAtToken() {
    const absl::StatusOr<std::string> token = TokenOf(arguments_.server);
    if (!token.ok()) {
      Tell({Finding::Level::kFail, "token", std::string(token.status().message()),
            "Name the right file with --token_file."});
    } else if (!token->empty()) {
      Tell(JudgeToken(*token, absl::Now()));
    }
  }

  void LookAtWebSocket() {
    Waker waker;
    LiveClient client(arguments_.server, console_, &waker);
    const absl::Time begin = absl::Now();
    const absl::Status status = client.Connect();
    const absl::Duration took = absl::Now() - begin;
    client.Close();
    Tell(JudgeConnection(arguments_.server.url, status, took));
  }

  void LookAtCertificate(const std::string& name, const std::string& https_url) {
    const absl::StatusOr<HttpUrl> url = ParseHttpUrl(https_url.substr(0, https_url.find('?')));
    if (!url.ok()) return;  // the connection tells what is wrong with it
    Tell(JudgeCertificate(
        name, ReadCertificate(url->host, url->port, arguments_.server.ca_file, kTimeout),
        absl::Now()));
  }

  void LookAtGateway() {
    const absl::StatusOr<HttpAnswer> ready = gateway_.Get("/readyz");
    Tell(JudgeGateway(arguments_.gateway, ready.status()));
    if (!ready.ok()) return;
    absl::Time date;
    if (absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", ready->date, &date, nullptr)) {
      // The field has whole seconds: the middle of its second is the best guess.
      Tell(JudgeClock(absl::Now() - (date + absl::Milliseconds(500))));
    }
    const absl::StatusOr<std::vector<ServiceRow>> services = gateway_.Services();
    if (!services.ok()) {
      Tell({Finding::Level::kWarn, "services", GatewayError(arguments_.gateway, services.status()),
            "Without an API key with the scope \"manage\", the gateway tells that to nobody but "
            "callers of its own machine."});
      return;
    }
    for (const Finding& finding : JudgeServices(*services, service::kVersion)) Tell(finding);
  }

  const Arguments arguments_;
  const Gateway gateway_;
  Console* const console_;
  bool has_failed_ = false;
};

}  // namespace

Run DefineDoctor(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  AddServerOptions(app, &arguments->server);
  AddGatewayOptions(app, &arguments->gateway);
  app->footer(kFooter);
  return [arguments](Console& console) {
    const absl::StatusOr<Gateway> gateway = Gateway::Create(arguments->gateway);
    if (!gateway.ok()) {
      console.Complain(gateway.status().message());
      return ExitCode::kWrongUsage;
    }
    return Doctor(*arguments, *gateway, &console).Run();
  };
}

}  // namespace groupcast::cli
