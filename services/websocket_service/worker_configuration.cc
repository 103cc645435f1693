#include "services/websocket_service/worker_configuration.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "services/access/access_policy.h"
#include "services/access/token_keys.h"
#include "services/channel/zmq/curve.h"
#include "services/common/address.h"
#include "services/common/flags.h"
#include "services/common/logging.h"
#include "services/common/prefix_map.h"
#include "services/common/token_bucket.h"
#include "services/configuration/group_rules.h"
#include "services/groups/authenticator.h"
#include "services/http/origin_policy.h"
#include "services/websocket_service/http/pages.h"
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
ABSL_FLAG(std::string, token_keys, "",
          "files with the keys of JSON Web Tokens, with commas between them: a public key (PEM), a "
          "JWK set, or a secret of 32 bytes at least; see docs/security.md. Empty: there is no "
          "authentication");
ABSL_FLAG(std::string, token_issuer, "", "what the claim iss of tokens must be; empty: anything");
ABSL_FLAG(std::string, token_audience, "",
          "what the claim aud of tokens must name; empty: tokens must have no audience");
ABSL_FLAG(absl::Duration, token_leeway, absl::Seconds(30),
          "by how much the clocks of the issuer of tokens and of this machine may differ");
ABSL_FLAG(absl::Duration, token_grace, absl::Seconds(25),
          "how long a connection may stay after its token has expired, to send a fresh one; over "
          "it: close 4501");
ABSL_FLAG(absl::Duration, authentication_timeout, absl::Seconds(10),
          "how long a connection may stay without a token, if it needs one; over it: close 4500");
ABSL_FLAG(
    bool, allow_anonymous, false,
    "whether clients without a token may connect although there are --token_keys, or although "
    "the service listens on another address than loopback");
ABSL_FLAG(bool, personal_groups, true,
          "whether the connections of a user join the user's personal group, user:SUB");
ABSL_FLAG(std::string, tls_certificate, "",
          "file with the server's certificate and its chain, in PEM; with it, the port speaks TLS "
          "alone: wss:// and https://. A changed file is taken up by itself, and on SIGHUP");
ABSL_FLAG(std::string, tls_key, "",
          "file with the private key of --tls_certificate, in PEM without a passphrase; users "
          "other than its owner and its group must have no right on it");
ABSL_FLAG(int64_t, max_tls_handshakes_per_worker, 512,
          "TLS handshakes of one worker that are under way; further ones wait for their turn");
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
ABSL_FLAG(int64_t, max_message_bytes, 64 * 1024,
          "largest message, in bytes; not above the channel server's");
ABSL_FLAG(int64_t, max_frame_bytes, 1 << 20,
          "largest frame from a client, in bytes; over it: close 1009");
ABSL_FLAG(int64_t, max_groups_per_connection, 128, "groups that one connection may be in");
ABSL_FLAG(
    double, commands_per_second, 0,
    "commands of one connection per second; a command to several groups counts once for each. "
    "Over it: error rate_limited. 0 is no limit");
ABSL_FLAG(
    double, command_burst, 256,
    "commands that one connection may send at once after a pause, if --commands_per_second is "
    "set; a client that reconnects joins all its groups at once");
ABSL_FLAG(int64_t, max_connections_per_worker, 100'000,
          "connections of one worker; over it: HTTP 503");
ABSL_FLAG(bool, deflate, false,
          "whether clients may have their messages compressed (permessage-deflate). It costs CPU "
          "time and saves bandwidth");
ABSL_FLAG(int64_t, deflate_threshold, 256,
          "with --deflate: messages of fewer bytes are not compressed");
ABSL_FLAG(int64_t, max_connections_per_address, 0,
          "connections of one address to all workers; an IPv6 address is its /64 network. Over it: "
          "HTTP 429. 0 is no limit");
ABSL_FLAG(
    int64_t, max_connections_per_user, 0,
    "connections of one user (the claim sub of tokens) to all workers; over it: close 4503. 0 "
    "is no limit");
ABSL_FLAG(int64_t, max_groups_per_user, 0,
          "groups that all connections of one user may be in together, each counted once for each "
          "connection; over it: error too_many_groups. 0 is no limit");
ABSL_FLAG(double, user_commands_per_second, 0,
          "commands per second that all connections of one user may send to one worker; over it: "
          "error rate_limited. 0 is no limit");
ABSL_FLAG(
    double, user_command_burst, 1024,
    "commands that they may send at once after a pause, if --user_commands_per_second is set");
ABSL_FLAG(double, accepts_per_second, 0,
          "new connections of one worker per second; those over it wait in the kernel. 0 is no "
          "limit");
ABSL_FLAG(double, accept_burst, 1000,
          "new connections that one worker may take at once, if --accepts_per_second is set; at "
          "least a quarter of it");
ABSL_FLAG(
    int64_t, input_bytes_per_second, 0,
    "bytes per second that a worker reads from one connection, at least 16384; the rest waits "
    "in the kernel. 0 is no limit");
ABSL_FLAG(int64_t, input_burst_bytes, 256 << 10,
          "bytes that a worker reads from one connection at once, if --input_bytes_per_second is "
          "set; at least a quarter of it");
ABSL_FLAG(int64_t, outbox_total_bytes, 1 << 30,
          "memory of all outboxes of one worker, in bytes; over it: close 4001 for those that take "
          "nothing, the largest first");
ABSL_FLAG(int64_t, outbox_bytes, 1 << 20,
          "bytes that wait to be sent to one connection; over it: close 4001");
ABSL_FLAG(int64_t, burst_bytes, 4 << 20,
          "bytes that a burst of messages may put into an outbox beyond --outbox_bytes, while the "
          "client reads");
ABSL_FLAG(
    int64_t, unsent_bytes, 128 << 10,
    "bytes that the kernel queues for one connection before it has sent them; at most a quarter "
    "of --outbox_bytes. Less costs more system calls, and bandwidth of fast clients if a worker "
    "is busy for the time in which the network sends so many bytes");
ABSL_FLAG(int64_t, window_bytes, 64 << 20, "unacknowledged publications of one worker, in bytes");
ABSL_FLAG(
    int64_t, unfinished_bytes, 64 << 20,
    "unfinished messages of one worker's clients, in bytes; over it: close 1009 for those that "
    "do not come to their end");
ABSL_FLAG(int64_t, held_bytes, 64 << 20,
          "input of one worker's clients that waits for the channel, in bytes; over it, the worker "
          "reads from no client until there is room");
ABSL_FLAG(absl::Duration, handshake_timeout, absl::Seconds(10),
          "from accept to the end of the handshake");
ABSL_FLAG(absl::Duration, ping_interval, absl::Seconds(25),
          "silence after which a client is pinged");
ABSL_FLAG(absl::Duration, pong_timeout, absl::Seconds(10),
          "silence after a ping; over it: close 4002");
ABSL_FLAG(absl::Duration, channel_timeout, absl::Seconds(5),
          "how long a join waits for the channel");
ABSL_FLAG(absl::Duration, drain_time, absl::Seconds(5),
          "time over which a stopping service closes its connections");
ABSL_FLAG(absl::Duration, stall_timeout, absl::Seconds(10),
          "a worker that stands still for this time is replaced");
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

// `rule` of the file, for the workers.
GroupAccess AccessOf(const GroupRule& rule) {
  GroupAccess access{.names_sender = rule.names_sender};
  for (const auto& [right, word] :
       {std::pair(Right::kJoin, &rule.join), std::pair(Right::kSend, &rule.send),
        std::pair(Right::kRead, &rule.read), std::pair(Right::kObserve, &rule.observe)}) {
    if (word->has_value()) access.whom[static_cast<size_t>(right)] = ReadWhom(**word);
  }
  return access;
}

absl::StatusOr<AuthenticatorOptions> ReadAccess(const std::string& bind_address,
                                                const std::vector<GroupRule>& rules) {
  for (const auto& [flag, value] : {std::pair<absl::string_view, absl::Duration>{
                                        "token_leeway", absl::GetFlag(FLAGS_token_leeway)},
                                    {"token_grace", absl::GetFlag(FLAGS_token_grace)}}) {
    if (absl::Status status =
            Check(value >= absl::ZeroDuration() && value <= absl::Hours(24),
                  absl::StrCat(FlagPlace(flag), " must not be below 0 or above 24h"));
        !status.ok()) {
      return status;
    }
  }
  AccessPolicy::Options policy{.allow_anonymous = absl::GetFlag(FLAGS_allow_anonymous),
                               .personal_groups = absl::GetFlag(FLAGS_personal_groups)};
  const std::string files = absl::GetFlag(FLAGS_token_keys);
  if (!files.empty()) {
    absl::StatusOr<TokenKeys> keys = TokenKeys::Load(absl::StrSplit(files, ','));
    if (!keys.ok()) {
      return absl::Status(keys.status().code(),
                          absl::StrCat(FlagPlace("token_keys"), ": ", keys.status().message()));
    }
    policy.tokens = std::make_shared<const TokenVerifier>(
        *std::move(keys), TokenOptions{.issuer = absl::GetFlag(FLAGS_token_issuer),
                                       .audience = absl::GetFlag(FLAGS_token_audience),
                                       .leeway = absl::GetFlag(FLAGS_token_leeway)});
  } else if (!IsLoopback(bind_address) && !policy.allow_anonymous) {
    return absl::InvalidArgumentError(absl::StrCat(
        FlagPlace("bind_address"), "=", bind_address,
        " is not a loopback address, so others may connect. Say who may: --token_keys=FILE lets "
        "in those that have a token, and --allow_anonymous lets in anyone"));
  }
  std::vector<std::pair<std::string, GroupAccess>> by_prefix;
  for (const GroupRule& rule : rules) by_prefix.emplace_back(rule.prefix, AccessOf(rule));
  policy.rules = PrefixMap<GroupAccess>(std::move(by_prefix));
  return AuthenticatorOptions{
      .policy = std::make_shared<const AccessPolicy>(std::move(policy)),
      .timeout = absl::GetFlag(FLAGS_authentication_timeout),
      .grace = absl::GetFlag(FLAGS_token_grace),
      .group_tokens_max = static_cast<size_t>(absl::GetFlag(FLAGS_max_groups_per_connection))};
}

// Limits of new connections and of input. A worker looks at those that wait four times a second or
// more often, so a burst must be at least what comes in a quarter of a second.
absl::Status CheckRates() {
  const double accepts = absl::GetFlag(FLAGS_accepts_per_second);
  const double accept_burst = absl::GetFlag(FLAGS_accept_burst);
  const int64_t input = absl::GetFlag(FLAGS_input_bytes_per_second);
  const int64_t input_burst = absl::GetFlag(FLAGS_input_burst_bytes);
  const int64_t per_address = absl::GetFlag(FLAGS_max_connections_per_address);
  const int64_t per_user = absl::GetFlag(FLAGS_max_connections_per_user);
  const int64_t groups_per_user = absl::GetFlag(FLAGS_max_groups_per_user);
  const double user_commands = absl::GetFlag(FLAGS_user_commands_per_second);
  const double user_burst = absl::GetFlag(FLAGS_user_command_burst);
  const auto connections_max = static_cast<int64_t>(Worker::kConnectionsMaxWithAddresses);
  // Written so that NaN fails too.
  for (const absl::Status& status :
       {Check(accepts == 0 || (accepts >= 0.001 && accepts <= 1e6),
              absl::StrCat(FlagPlace("accepts_per_second"),
                           " must be 0 (no limit), or between 0.001 and 1000000")),
        Check(accept_burst >= 1 && accept_burst <= 1e6 && accept_burst >= accepts / 4,
              absl::StrCat(FlagPlace("accept_burst"),
                           " must be between 1 and 1000000, and at least a quarter of "
                           "accepts_per_second")),
        Check(input == 0 || (input >= 16'384 && input <= int64_t{1} << 31),
              absl::StrCat(FlagPlace("input_bytes_per_second"),
                           " must be 0 (no limit), or between 16384 and 2^31")),
        Check(input_burst >= input / 4, absl::StrCat(FlagPlace("input_burst_bytes"),
                                                     " must be at least a quarter of "
                                                     "input_bytes_per_second")),
        Check(per_address >= 0 && per_address <= 1'000'000,
              absl::StrCat(FlagPlace("max_connections_per_address"),
                           " must be 0 (no limit), or between 1 and 1000000")),
        Check(per_user >= 0 && per_user <= 1'000'000,
              absl::StrCat(FlagPlace("max_connections_per_user"),
                           " must be 0 (no limit), or between 1 and 1000000")),
        Check(groups_per_user >= 0 && groups_per_user <= 1'000'000,
              absl::StrCat(FlagPlace("max_groups_per_user"),
                           " must be 0 (no limit), or between 1 and 1000000")),
        Check(user_commands == 0 || (user_commands >= 0.001 && user_commands <= 1e6),
              absl::StrCat(FlagPlace("user_commands_per_second"),
                           " must be 0 (no limit), or between 0.001 and 1000000")),
        Check(user_burst >= 1 && user_burst <= 1e6,
              absl::StrCat(FlagPlace("user_command_burst"), " must be between 1 and 1000000")),
        Check((per_user == 0 && groups_per_user == 0) ||
                  absl::GetFlag(FLAGS_max_connections_per_worker) <= connections_max,
              absl::StrCat(
                  FlagPlace(per_user > 0 ? "max_connections_per_user" : "max_groups_per_user"),
                  " needs max_connections_per_worker of at most ", connections_max)),
        Check(
            per_address == 0 || absl::GetFlag(FLAGS_max_connections_per_worker) <= connections_max,
            absl::StrCat(FlagPlace("max_connections_per_address"),
                         " needs max_connections_per_worker of at most ", connections_max))}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WorkerConfiguration> ReadWorkerConfiguration(const KeptConfiguration& kept,
                                                            const ConfigurationFile& file) {
  for (const auto& [flag, value] :
       {std::pair<absl::string_view, int64_t>{"max_message_bytes",
                                              absl::GetFlag(FLAGS_max_message_bytes)},
        {"max_frame_bytes", absl::GetFlag(FLAGS_max_frame_bytes)},
        {"max_groups_per_connection", absl::GetFlag(FLAGS_max_groups_per_connection)},
        {"max_connections_per_worker", absl::GetFlag(FLAGS_max_connections_per_worker)},
        {"max_tls_handshakes_per_worker", absl::GetFlag(FLAGS_max_tls_handshakes_per_worker)},
        {"deflate_threshold", absl::GetFlag(FLAGS_deflate_threshold)},
        {"outbox_total_bytes", absl::GetFlag(FLAGS_outbox_total_bytes)},
        {"input_burst_bytes", absl::GetFlag(FLAGS_input_burst_bytes)},
        {"outbox_bytes", absl::GetFlag(FLAGS_outbox_bytes)},
        {"burst_bytes", absl::GetFlag(FLAGS_burst_bytes)},
        {"unsent_bytes", absl::GetFlag(FLAGS_unsent_bytes)},
        {"window_bytes", absl::GetFlag(FLAGS_window_bytes)},
        {"unfinished_bytes", absl::GetFlag(FLAGS_unfinished_bytes)},
        {"held_bytes", absl::GetFlag(FLAGS_held_bytes)}}) {
    if (absl::Status status =
            Check(value > 0 && value <= int64_t{1} << 31,
                  absl::StrCat(FlagPlace(flag), "=", value, " is not between 1 and 2^31"));
        !status.ok()) {
      return status;
    }
  }
  for (const auto& [flag, value] :
       {std::pair<absl::string_view, absl::Duration>{"handshake_timeout",
                                                     absl::GetFlag(FLAGS_handshake_timeout)},
        {"ping_interval", absl::GetFlag(FLAGS_ping_interval)},
        {"pong_timeout", absl::GetFlag(FLAGS_pong_timeout)},
        {"authentication_timeout", absl::GetFlag(FLAGS_authentication_timeout)},
        {"channel_timeout", absl::GetFlag(FLAGS_channel_timeout)},
        {"drain_time", absl::GetFlag(FLAGS_drain_time)},
        {"stall_timeout", absl::GetFlag(FLAGS_stall_timeout)}}) {
    if (absl::Status status =
            Check(value > absl::ZeroDuration() && value <= absl::Hours(24),
                  absl::StrCat(FlagPlace(flag), " must be above 0 and at most 24h"));
        !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = Check(absl::GetFlag(FLAGS_stall_timeout) >= absl::Seconds(1),
                                  absl::StrCat(FlagPlace("stall_timeout"), " must be at least 1s"));
      !status.ok()) {
    return status;
  }
  // Written so that NaN fails too.
  const double commands_per_second = absl::GetFlag(FLAGS_commands_per_second);
  const double command_burst = absl::GetFlag(FLAGS_command_burst);
  for (const absl::Status& status :
       {Check(commands_per_second == 0 ||
                  (commands_per_second >= 0.001 && commands_per_second <= 1e6),
              absl::StrCat(FlagPlace("commands_per_second"),
                           " must be 0 (no limit), or between 0.001 and 1000000")),
        Check(command_burst >= 1 && command_burst <= 1e6,
              absl::StrCat(FlagPlace("command_burst"), " must be between 1 and 1000000"))}) {
    if (!status.ok()) return status;
  }
  if (absl::Status status = CheckRates(); !status.ok()) return status;
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

  WorkerConfiguration configuration;
  WorkerOptions& worker = configuration.worker;
  worker.origins = *std::move(origins);
  worker.tls = *std::move(tls);
  worker.proxies = *std::move(proxies);
  worker.tls_handshakes_max =
      static_cast<size_t>(absl::GetFlag(FLAGS_max_tls_handshakes_per_worker));
  worker.session.frame_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_max_frame_bytes));
  worker.session.outbox_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_outbox_bytes));
  worker.session.burst_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_burst_bytes));
  worker.session.unsent_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_unsent_bytes));
  worker.groups.commands.message_bytes_max =
      static_cast<size_t>(absl::GetFlag(FLAGS_max_message_bytes));
  const absl::StatusOr<std::vector<GroupRule>> rules =
      ReadGroupRules(file, worker.groups.commands.message_bytes_max);
  if (!rules.ok()) return rules.status();
  absl::StatusOr<AuthenticatorOptions> access = ReadAccess(kept.bind_address, *rules);
  if (!access.ok()) return access.status();
  worker.groups.access = *std::move(access);
  std::vector<std::pair<std::string, size_t>> message_bytes;
  std::vector<std::pair<std::string, TokenRate>> send_rates;
  for (const GroupRule& rule : *rules) {
    message_bytes.emplace_back(
        rule.prefix, rule.message_bytes.value_or(worker.groups.commands.message_bytes_max));
    const double rate = rule.send_rate.value_or(0);
    send_rates.emplace_back(
        rule.prefix,
        TokenRate{.per_second = rate, .burst = rule.send_burst.value_or(std::max(1.0, rate))});
  }
  worker.groups.send_rules.message_bytes_by_prefix = PrefixMap<size_t>(std::move(message_bytes));
  worker.groups.send_rules.send_rate_by_prefix = PrefixMap<TokenRate>(std::move(send_rates));
  worker.groups.memberships.groups_max =
      static_cast<size_t>(absl::GetFlag(FLAGS_max_groups_per_connection));
  worker.groups.command_rate = {.per_second = absl::GetFlag(FLAGS_commands_per_second),
                                .burst = absl::GetFlag(FLAGS_command_burst)};
  worker.groups.memberships.join_timeout = absl::GetFlag(FLAGS_channel_timeout);
  worker.groups.presence.read_timeout = absl::GetFlag(FLAGS_channel_timeout);
  worker.handshake_timeout = absl::GetFlag(FLAGS_handshake_timeout);
  worker.ping_interval = absl::GetFlag(FLAGS_ping_interval);
  worker.pong_timeout = absl::GetFlag(FLAGS_pong_timeout);
  worker.drain_time = absl::GetFlag(FLAGS_drain_time);
  worker.connections_max = static_cast<size_t>(absl::GetFlag(FLAGS_max_connections_per_worker));
  worker.connections_per_address_max =
      static_cast<uint32_t>(absl::GetFlag(FLAGS_max_connections_per_address));
  worker.groups.users = {
      .connections_max = static_cast<uint32_t>(absl::GetFlag(FLAGS_max_connections_per_user)),
      .groups_max = static_cast<uint32_t>(absl::GetFlag(FLAGS_max_groups_per_user)),
      .command_rate = {.per_second = absl::GetFlag(FLAGS_user_commands_per_second),
                       .burst = absl::GetFlag(FLAGS_user_command_burst)}};
  worker.accept_rate = {.per_second = absl::GetFlag(FLAGS_accepts_per_second),
                        .burst = absl::GetFlag(FLAGS_accept_burst)};
  worker.session.input_rate = {
      .per_second = static_cast<double>(absl::GetFlag(FLAGS_input_bytes_per_second)),
      .burst = static_cast<double>(absl::GetFlag(FLAGS_input_burst_bytes))};
  worker.deflates = absl::GetFlag(FLAGS_deflate);
  worker.deflate_threshold_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_deflate_threshold));
  worker.outbox_total_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_outbox_total_bytes));
  worker.unfinished_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_unfinished_bytes));
  worker.held_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_held_bytes));
  if (const std::string directory = absl::GetFlag(FLAGS_pages); !directory.empty()) {
    absl::StatusOr<Pages> pages = Pages::Load(directory);
    if (!pages.ok()) return AtPresetPlace("pages", pages.status());
    worker.pages = std::make_shared<const Pages>(*std::move(pages));
  }
  configuration.pages = absl::GetFlag(FLAGS_pages);
  configuration.log_level = log_level;
  configuration.channel_url = *channel_url;
  configuration.channel.message_bytes_max = worker.groups.commands.message_bytes_max;
  configuration.channel.window_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_window_bytes));
  absl::StatusOr<std::shared_ptr<const CurveClientKeys>> curve = ReadCurve();
  if (!curve.ok()) return curve.status();
  configuration.channel.curve = *std::move(curve);
  return configuration;
}

}  // namespace groupcast::service
