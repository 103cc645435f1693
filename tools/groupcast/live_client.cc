#include "tools/groupcast/live_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace groupcast::cli {
namespace {

// An error without the server's word is one of the arguments.
ExitCode CodeOf(const absl::Status& why) {
  return absl::IsInvalidArgument(why) && ErrorWord(why).empty() ? ExitCode::kWrongUsage
                                                                : ExitCodeOf(why);
}

}  // namespace

LiveClient::~LiveClient() { Close(); }

absl::Status LiveClient::Connect() {
  const absl::StatusOr<std::string> token = TokenOf(options_);
  if (!token.ok()) return token.status();
  ClientOptions options;
  options.url = options_.url;
  options.ca_file = options_.ca_file;
  if (options_.token_file.empty()) {
    options.token = *token;
  } else {
    // A program that renews the file keeps the connection in.
    options.token_source = [server = options_](const TokenCallback& on_token) {
      on_token(TokenOf(server));
    };
  }
  options.on_state = [this](ConnectionState state, const absl::Status& why) {
    OnState(state, why);
  };
  lost_at_ = absl::Now();
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (connected_) return absl::OkStatus();
    }
    if (absl::Status status = Check(); !status.ok()) return status;
    if (waker_->Wait(UntilCheck()) == Waker::Cause::kSignal) {
      return absl::CancelledError("interrupted");
    }
  }
}

absl::Status LiveClient::Check(absl::Duration lost_timeout) {
  const std::lock_guard lock(mutex_);
  if (connected_) return absl::OkStatus();
  if (closed_) return why_;
  // The first attempt has no result yet.
  if (why_.ok()) return absl::OkStatus();
  if (options_.timeout > absl::ZeroDuration()) {
    lost_timeout = options_.timeout;
  } else if (!was_connected_) {
    lost_timeout = absl::ZeroDuration();
  }
  return absl::Now() - lost_at_ >= lost_timeout ? why_ : absl::OkStatus();
}

void LiveClient::Close() {
  if (client_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  client_->Close();
}

void LiveClient::Complain(const absl::Status& why) const {
  if (absl::IsCancelled(why)) return;
  const bool away = ExitCodeOf(why) == ExitCode::kNotReachable;
  console_->Complain(
      absl::StrCat(options_.url, away ? " is not reachable: " : ": ", Harmless(why.message())));
  if (away) console_->Note("Does the server run? `groupcast doctor` looks for the reason.");
}

ExitCode LiveClient::Fail(const absl::Status& why) const {
  Complain(why);
  return CodeOf(why);
}

ExitCode LiveClient::FailOfGroup(absl::string_view group_id, const absl::Status& why) const {
  if (!absl::IsCancelled(why)) {
    console_->Complain(absl::StrCat(Harmless(group_id), ": ", Harmless(why.message())));
  }
  return CodeOf(why);
}

void LiveClient::OnState(ConnectionState state, const absl::Status& why) {
  std::string news;
  {
    const std::lock_guard lock(mutex_);
    switch (state) {
      case ConnectionState::kConnecting:
        return;
      case ConnectionState::kConnected:
        if (was_connected_) news = "connected again";
        connected_ = was_connected_ = true;
        why_ = absl::OkStatus();
        break;
      case ConnectionState::kWaiting:
        if (connected_) {
          lost_at_ = absl::Now();
          news = absl::StrCat("not connected: ", Harmless(why.message()), "; trying again");
        }
        connected_ = false;
        why_ = why;
        break;
      case ConnectionState::kClosed:
        connected_ = false;
        closed_ = true;
        why_ = why;
        break;
    }
    if (closing_) news.clear();
  }
  if (!news.empty()) console_->Note(console_->ErrColour(Colour::kYellow, news));
  waker_->Poke();
}

}  // namespace groupcast::cli
