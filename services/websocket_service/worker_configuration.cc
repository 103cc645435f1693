#include "services/websocket_service/worker_configuration.h"

#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/flags.h"
#include "services/common/logging.h"
#include "services/configuration/group_rules.h"
#include "services/http/origin_policy.h"
#include "services/http/pages.h"
#include "services/settings/access_flags.h"
#include "services/settings/channel_flags.h"
#include "services/settings/origin_flags.h"
#include "services/settings/send_rules_settings.h"
#include "services/websocket_service/limit_flags.h"
#include "services/websocket_service/proxy/forwarded.h"

ABSL_FLAG(std::string, pages, "",
          "directory whose files are served to browsers; read at start and on SIGHUP");
ABSL_FLAG(std::string, tls_certificate, "",
          "file with the server's certificate and its chain, in PEM; with it, the port speaks TLS "
          "alone: wss:// and https://. A changed file is taken up by itself, and on SIGHUP");
ABSL_FLAG(std::string, tls_key, "",
          "file with the private key of --tls_certificate, in PEM without a passphrase; users "
          "other than its owner and its group must have no right on it");
ABSL_FLAG(
    std::string, trusted_proxies, "",
    "addresses and networks of proxies before this service, with commas between them, such as "
    "10.0.0.5,10.1.0.0/16. What they write about clients' addresses counts: "
    "--forwarded_header, and --proxy_protocol");
ABSL_FLAG(std::string, forwarded_header, "x-forwarded-for",
          "the header in which trusted proxies write the addresses of clients: x-forwarded-for or "
          "forwarded (RFC 7239)");
ABSL_FLAG(
    bool, proxy_protocol, false,
    "whether trusted proxies begin each connection with the PROXY protocol, version 2; all of "
    "them must then");
ABSL_FLAG(absl::Duration, authentication_timeout, absl::Seconds(10),
          "how long a connection may stay without a token, if it needs one; over it: close 4500");
ABSL_FLAG(bool, deflate, false,
          "whether clients may have their messages compressed (permessage-deflate). It costs CPU "
          "time and saves bandwidth");
ABSL_FLAG(std::string, log_level, "info", "trace, debug, info, warning, error or off");

namespace groupcast::service {
namespace {

absl::StatusOr<ProxyPolicy> ReadProxies() {
  absl::StatusOr<IpNetworks> trusted =
      IpNetworks::Create(FlagPlace("trusted_proxies"), absl::GetFlag(FLAGS_trusted_proxies));
  if (!trusted.ok()) return trusted.status();
  ProxyPolicy policy{.trusted = *std::move(trusted),
                     .proxy_protocol = absl::GetFlag(FLAGS_proxy_protocol)};
  const std::string header = absl::AsciiStrToLower(absl::GetFlag(FLAGS_forwarded_header));
  if (header == "forwarded") {
    policy.header = ForwardedHeader::kForwarded;
  } else if (header != "x-forwarded-for") {
    return absl::InvalidArgumentError(absl::StrCat(FlagPlace("forwarded_header"), ": \"", header,
                                                   "\" is not x-forwarded-for or forwarded"));
  }
  if (policy.proxy_protocol && policy.trusted.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(FlagPlace("proxy_protocol"),
                                                   " needs --trusted_proxies: only trusted proxies "
                                                   "may speak it"));
  }
  return policy;
}

// Null: the service is plain.
absl::StatusOr<std::shared_ptr<const TlsContext>> ReadTls(const KeptConfiguration& kept) {
  const TlsFiles files = {
      .certificate = {FlagPlace("tls_certificate"), absl::GetFlag(FLAGS_tls_certificate)},
      .key = {FlagPlace("tls_key"), absl::GetFlag(FLAGS_tls_key)}};
  if (files.certificate.path.empty() && files.key.path.empty()) return nullptr;
  return TlsContext::Load(files, kept.tickets, absl::Now(), kept.tls.get());
}

}  // namespace

absl::StatusOr<WorkerConfiguration> ReadWorkerConfiguration(const KeptConfiguration& kept,
                                                            const ConfigurationFile& file) {
  WorkerConfiguration configuration;
  WorkerOptions& worker = configuration.worker;
  if (absl::Status status = ReadLimits(&worker, &configuration.channel); !status.ok()) {
    return status;
  }
  const std::string log_level = absl::GetFlag(FLAGS_log_level);
  if (absl::Status status = CheckLogLevel(log_level); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(FlagPlace("log_level"), ": ", status.message()));
  }
  const absl::StatusOr<ChannelUrl> channel_url = ReadChannelUrl();
  if (!channel_url.ok()) return channel_url.status();

  absl::StatusOr<OriginPolicy> origins = ReadOrigins(kept.bind_address);
  if (!origins.ok()) return origins.status();
  absl::StatusOr<std::shared_ptr<const TlsContext>> tls = ReadTls(kept);
  if (!tls.ok()) return tls.status();
  absl::StatusOr<ProxyPolicy> proxies = ReadProxies();
  if (!proxies.ok()) return proxies.status();

  worker.origins = *std::move(origins);
  worker.tls = *std::move(tls);
  worker.proxies = *std::move(proxies);
  const absl::StatusOr<std::vector<GroupRule>> rules =
      ReadGroupRules(file, worker.groups.commands.message_bytes_max);
  if (!rules.ok()) return rules.status();
  const absl::Duration timeout = absl::GetFlag(FLAGS_authentication_timeout);
  if (timeout <= absl::ZeroDuration() || timeout > absl::Hours(24)) {
    return absl::InvalidArgumentError(
        absl::StrCat(FlagPlace("authentication_timeout"), " must be above 0 and at most 24h"));
  }
  absl::StatusOr<AuthenticatorOptions> access =
      ReadAccess({.bind_address = kept.bind_address,
                  .rules = *rules,
                  .group_tokens_max = worker.groups.memberships.groups_max});
  if (!access.ok()) return access.status();
  worker.groups.access = *std::move(access);
  worker.groups.access.timeout = timeout;
  worker.groups.send_rules = SendRulesOf(*rules, worker.groups.commands.message_bytes_max);
  worker.deflates = absl::GetFlag(FLAGS_deflate);
  if (const std::string directory = absl::GetFlag(FLAGS_pages); !directory.empty()) {
    absl::StatusOr<Pages> pages = Pages::Load(directory);
    if (!pages.ok()) return AtPresetPlace("pages", pages.status());
    worker.pages = std::make_shared<const Pages>(*std::move(pages));
  }
  configuration.pages = absl::GetFlag(FLAGS_pages);
  configuration.log_level = log_level;
  configuration.channel_url = *channel_url;
  absl::StatusOr<std::shared_ptr<const CurveClientKeys>> curve = ReadChannelKeys();
  if (!curve.ok()) return curve.status();
  configuration.channel.curve = *std::move(curve);
  return configuration;
}

}  // namespace groupcast::service
