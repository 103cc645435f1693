#include "services/websocket_service/worker_configuration.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/channel/zmq/curve.h"
#include "services/common/address.h"
#include "services/common/flags.h"
#include "services/common/logging.h"
#include "services/common/prefix_map.h"
#include "services/common/token_bucket.h"
#include "services/configuration/group_rules.h"
#include "services/groups/send_rules.h"
#include "services/http/origin_policy.h"
#include "services/websocket_service/access_flags.h"
#include "services/websocket_service/http/pages.h"
#include "services/websocket_service/limit_flags.h"
#include "services/websocket_service/proxy/forwarded.h"

ABSL_FLAG(std::string, channel, "127.0.0.1:2206",
          "HOST:PORT or tcp://HOST:PORT of the channel server's publish port, or unix:DIR, its "
          "--socket_dir, on the same machine");
ABSL_FLAG(int, channel_subscribe_port, 0,
          "the channel server's subscribe port; 0 is its publish port + 1");
ABSL_FLAG(int, channel_control_port, 0,
          "the channel server's control port; 0 is its publish port + 2");
ABSL_FLAG(
    std::string, channel_curve_secret_key, "",
    "file with the secret CURVE key of this service, of tools/curve_key; for a channel server "
    "with --curve_secret_key");
ABSL_FLAG(std::string, channel_curve_server_key, "",
          "file with the public CURVE key of the channel server");
ABSL_FLAG(std::string, pages, "",
          "directory whose files are served to browsers; read at start and on SIGHUP");
ABSL_FLAG(std::string, allowed_origins, "",
          "origins of web pages that may connect, with commas between them, such as "
          "https://app.example:8443 or https://*.example.com; * allows all. Pages of this machine, "
          "and of the host that they connect to, need no entry");
ABSL_FLAG(bool, allow_null_origin, true,
          "whether pages without an origin may connect: files that a person opens, and sandboxed "
          "frames of any page");
ABSL_FLAG(std::string, allowed_hosts, "",
          "hosts that requests may name, with commas between them, such as app.example or "
          "*.example.com; * allows all. Addresses and localhost need no entry. Without entries, a "
          "service on a loopback address allows no others, and any other service allows all");
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
ABSL_FLAG(bool, deflate, false,
          "whether clients may have their messages compressed (permessage-deflate). It costs CPU "
          "time and saves bandwidth");
ABSL_FLAG(std::string, log_level, "info", "trace, debug, info, warning, error or off");

namespace groupcast::service {
namespace {

absl::Status Check(bool ok, absl::string_view sentence) {
  return ok ? absl::OkStatus() : absl::InvalidArgumentError(sentence);
}

// Null: the links to the channel server have no keys.
absl::StatusOr<std::shared_ptr<const CurveClientKeys>> ReadCurve() {
  const CurveFile secret = {FlagPlace("channel_curve_secret_key"),
                            absl::GetFlag(FLAGS_channel_curve_secret_key)};
  const CurveFile server = {FlagPlace("channel_curve_server_key"),
                            absl::GetFlag(FLAGS_channel_curve_server_key)};
  if (secret.path.empty() && server.path.empty()) return nullptr;
  absl::StatusOr<CurveClientKeys> keys = ReadCurveClientKeys(secret, server);
  if (!keys.ok()) return keys.status();
  return std::make_shared<const CurveClientKeys>(*std::move(keys));
}

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
absl::StatusOr<std::shared_ptr<const TlsContext>> ReadTls(const TicketKeys& tickets) {
  const TlsFiles files = {
      .certificate = {FlagPlace("tls_certificate"), absl::GetFlag(FLAGS_tls_certificate)},
      .key = {FlagPlace("tls_key"), absl::GetFlag(FLAGS_tls_key)}};
  if (files.certificate.path.empty() && files.key.path.empty()) return nullptr;
  return TlsContext::Load(files, tickets);
}

// The ports of the other two links have flags of their own.
absl::StatusOr<ChannelUrl> ReadChannelUrl() {
  absl::StatusOr<ChannelUrl> url = ParseChannelUrl(absl::GetFlag(FLAGS_channel));
  if (!url.ok()) {
    return absl::Status(url.status().code(),
                        absl::StrCat(FlagPlace("channel"), ": ", url.status().message()));
  }
  for (const auto& [flag, port, to] :
       {std::tuple<absl::string_view, int, uint16_t*>{"channel_subscribe_port",
                                                      absl::GetFlag(FLAGS_channel_subscribe_port),
                                                      &url->server.subscribe_port},
        {"channel_control_port", absl::GetFlag(FLAGS_channel_control_port),
         &url->server.control_port}}) {
    if (absl::Status status = Check(port >= 0 && port <= 65'535,
                                    absl::StrCat(FlagPlace(flag), "=", port, " is not a port"));
        !status.ok()) {
      return status;
    }
    if (port != 0) *to = static_cast<uint16_t>(port);
  }
  return url;
}

// `message_bytes_max` is for the groups whose rule has no limit of its own.
SendRulesOptions SendRulesOf(const std::vector<GroupRule>& rules, size_t message_bytes_max) {
  std::vector<std::pair<std::string, size_t>> message_bytes;
  std::vector<std::pair<std::string, TokenRate>> send_rates;
  for (const GroupRule& rule : rules) {
    message_bytes.emplace_back(rule.prefix, rule.message_bytes.value_or(message_bytes_max));
    const double rate = rule.send_rate.value_or(0);
    send_rates.emplace_back(
        rule.prefix,
        TokenRate{.per_second = rate, .burst = rule.send_burst.value_or(std::max(1.0, rate))});
  }
  return {.message_bytes_by_prefix = PrefixMap<size_t>(std::move(message_bytes)),
          .send_rate_by_prefix = PrefixMap<TokenRate>(std::move(send_rates))};
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

  absl::StatusOr<OriginPolicy> origins = OriginPolicy::Create(
      {.allowed_origins = {FlagPlace("allowed_origins"), absl::GetFlag(FLAGS_allowed_origins)},
       .allowed_hosts = {FlagPlace("allowed_hosts"), absl::GetFlag(FLAGS_allowed_hosts)},
       .allow_null_origin = absl::GetFlag(FLAGS_allow_null_origin),
       .is_loopback = IsLoopback(kept.bind_address)});
  if (!origins.ok()) return origins.status();
  absl::StatusOr<std::shared_ptr<const TlsContext>> tls = ReadTls(kept.tickets);
  if (!tls.ok()) return tls.status();
  absl::StatusOr<ProxyPolicy> proxies = ReadProxies();
  if (!proxies.ok()) return proxies.status();

  worker.origins = *std::move(origins);
  worker.tls = *std::move(tls);
  worker.proxies = *std::move(proxies);
  const absl::StatusOr<std::vector<GroupRule>> rules =
      ReadGroupRules(file, worker.groups.commands.message_bytes_max);
  if (!rules.ok()) return rules.status();
  absl::StatusOr<AuthenticatorOptions> access =
      ReadAccess(kept.bind_address, *rules, worker.groups.memberships.groups_max);
  if (!access.ok()) return access.status();
  worker.groups.access = *std::move(access);
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
  absl::StatusOr<std::shared_ptr<const CurveClientKeys>> curve = ReadCurve();
  if (!curve.ok()) return curve.status();
  configuration.channel.curve = *std::move(curve);
  return configuration;
}

}  // namespace groupcast::service
