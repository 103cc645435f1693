#include "groupcast/client.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "groupcast/client_impl.h"
#include "groupcast/command.h"
#include "groupcast/connection.h"
#include "groupcast/session_id.h"
#include "groupcast/tls.h"
#include "groupcast/url.h"

namespace groupcast {
namespace {

absl::Status CheckOptions(const ClientOptions& options) {
  const struct {
    absl::string_view name;
    absl::Duration value;
  } durations[] = {
      {"connect_timeout", options.connect_timeout},
      {"dead_peer_timeout", options.dead_peer_timeout},
      {"close_timeout", options.close_timeout},
      {"backoff_base", options.backoff_base},
      {"backoff_cap", options.backoff_cap},
      {"backoff_reset_after", options.backoff_reset_after},
  };
  for (const auto& duration : durations) {
    if (duration.value <= absl::ZeroDuration() || duration.value > absl::Hours(24)) {
      return absl::InvalidArgumentError(
          absl::StrCat(duration.name, " is not above zero and at most a day"));
    }
  }
  if (options.backoff_base > options.backoff_cap) {
    return absl::InvalidArgumentError("backoff_base is above backoff_cap");
  }
  if (options.queue_bytes_max < options.message_bytes_max) {
    return absl::InvalidArgumentError("queue_bytes_max is below message_bytes_max");
  }
  if (options.frame_bytes_max == 0) return absl::InvalidArgumentError("frame_bytes_max is 0");
  if (options.token_source && !options.token.empty()) {
    return absl::InvalidArgumentError("both token and token_source are given");
  }
  return CheckToken(options.token);
}

absl::StatusOr<ConnectionOptions> ToConnection(const ClientOptions& options, Url url) {
  ConnectionOptions result;
  result.close_timeout = options.close_timeout;
  result.frame_bytes_max = options.frame_bytes_max;
  if (!options.proxy.empty()) {
    absl::StatusOr<Proxy> proxy = ParseProxy(options.proxy);
    if (!proxy.ok()) return proxy.status();
    result.proxy = *std::move(proxy);
  }
  if (url.tls) {
    absl::StatusOr<std::shared_ptr<TlsContext>> context = LoadTlsContext(options.ca_file);
    if (!context.ok()) return context.status();
    result.tls_context = *std::move(context);
  } else if (!options.ca_file.empty()) {
    return absl::InvalidArgumentError("ca_file is for wss:// alone");
  }
  result.url = std::move(url);
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  absl::StatusOr<Url> url = ParseUrl(options.url);
  if (!url.ok()) return url.status();
  absl::StatusOr<std::string> session_id = AdoptSession(options.session_id, &*url);
  if (!session_id.ok()) return session_id.status();
  options.session_id = *std::move(session_id);
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  absl::StatusOr<ConnectionOptions> connection_options = ToConnection(options, *std::move(url));
  if (!connection_options.ok()) return connection_options.status();
  auto impl = std::make_shared<Impl>(std::move(options), *std::move(connection_options));
  impl->Start();
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Client::~Client() { impl_->End(); }

absl::Status Client::Join(absl::string_view group_id, MessageCallback on_message,
                          JoinCallback on_join, GapCallback on_gap) {
  return Join(group_id, JoinOptions(), std::move(on_message), std::move(on_join),
              std::move(on_gap));
}

absl::Status Client::Join(absl::string_view group_id, const JoinOptions& options,
                          MessageCallback on_message, JoinCallback on_join, GapCallback on_gap) {
  GroupCallbacks callbacks;
  callbacks.on_message = std::move(on_message);
  callbacks.on_join = std::move(on_join);
  callbacks.on_gap = std::move(on_gap);
  return impl_->Join(group_id, options, std::move(callbacks));
}

absl::Status Client::Join(absl::string_view group_id, const JoinOptions& options,
                          GroupCallbacks callbacks) {
  return impl_->Join(group_id, options, std::move(callbacks));
}

void Client::Leave(absl::string_view group_id) { impl_->Leave(group_id); }

absl::Status Client::Send(absl::string_view group_id, absl::string_view text,
                          SendCallback on_sent) {
  return Send(group_id, text, SendOptions(), std::move(on_sent));
}

absl::Status Client::Send(absl::string_view group_id, absl::string_view text,
                          const SendOptions& options, SendCallback on_sent) {
  if (text.size() > impl_->options().message_bytes_max) {
    return absl::InvalidArgumentError("the text is over message_bytes_max");
  }
  const absl::StatusOr<std::string> json = EncodeText(text);
  if (!json.ok()) return json.status();
  return impl_->Send(group_id, *json, options, std::move(on_sent));
}

absl::Status Client::SendJson(absl::string_view group_id, absl::string_view json,
                              SendCallback on_sent) {
  return SendJson(group_id, json, SendOptions(), std::move(on_sent));
}

absl::Status Client::SendJson(absl::string_view group_id, absl::string_view json,
                              const SendOptions& options, SendCallback on_sent) {
  if (json.size() > impl_->options().message_bytes_max) {
    return absl::InvalidArgumentError("the message is over message_bytes_max");
  }
  if (absl::Status status = CheckJson(json); !status.ok()) return status;
  return impl_->Send(group_id, json, options, std::move(on_sent));
}

absl::Status Client::History(absl::string_view group_id, HistoryCallback on_history) {
  return History(group_id, HistoryOptions(), std::move(on_history));
}

absl::Status Client::History(absl::string_view group_id, const HistoryOptions& options,
                             HistoryCallback on_history) {
  return impl_->History(group_id, options, std::move(on_history));
}

absl::Status Client::Members(absl::string_view group_id, MembersCallback on_members) {
  return Members(group_id, MembersOptions(), std::move(on_members));
}

absl::Status Client::Members(absl::string_view group_id, const MembersOptions& options,
                             MembersCallback on_members) {
  return impl_->Members(group_id, options, std::move(on_members));
}

const std::string& Client::session_id() const { return impl_->options().session_id; }

void Client::Reconnect() { impl_->Reconnect(); }

void Client::Close() { impl_->Close(); }

}  // namespace groupcast
