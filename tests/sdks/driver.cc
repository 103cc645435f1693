// A program on the C++ SDK that does what the lines of its input say, and prints what happens.
// README.md has these lines.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "boost/json.hpp"
#include "groupcast/client.h"

namespace groupcast::tests {
namespace {

namespace json = boost::json;

// Output is written at once: a driver that is killed or blocked has told all until then.
void Print(const json::object& event) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::cout << json::serialize(event) << std::endl;
}

std::string Text(const json::object& from, const char* name) {
  const json::value* value = from.if_contains(name);
  return value != nullptr && value->is_string() ? json::value_to<std::string>(*value) : "";
}

int64_t Number(const json::object& from, const char* name, int64_t otherwise) {
  const json::value* value = from.if_contains(name);
  return value != nullptr && value->is_int64() ? value->as_int64() : otherwise;
}

bool Flag(const json::object& from, const char* name) {
  const json::value* value = from.if_contains(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

// The words of the JavaScript SDK.
std::string ErrorCode(const absl::Status& status) {
  const std::string word = ErrorWord(status);
  if (!word.empty()) return word;
  switch (status.code()) {
    case absl::StatusCode::kUnknown:
      return "outcome_unknown";
    case absl::StatusCode::kCancelled:
      return "closed";
    case absl::StatusCode::kResourceExhausted:
      return "queue_full";
    default:
      return absl::StatusCodeToString(status.code());
  }
}

const char* StateWord(ConnectionState state) {
  switch (state) {
    case ConnectionState::kConnecting:
      return "connecting";
    case ConnectionState::kConnected:
      return "open";
    case ConnectionState::kWaiting:
      return "waiting";
    case ConnectionState::kClosed:
      return "closed";
  }
  return "";
}

class Driver {
 public:
  void Run() {
    std::string line;
    while (std::getline(std::cin, line)) {
      const json::object command = json::parse(line).as_object();
      const std::string name = Text(command, "do");
      if (name == "connect") Connect(command);
      if (name == "join") Join(command);
      if (name == "leave") client_->Leave(Text(command, "group"));
      if (name == "send") Send(command);
      if (name == "plan") SetPlan(command);
      if (name == "clock") {
        Print({{"event", "clock"}, {"wall_ms", absl::ToUnixMillis(absl::Now())}});
      }
      if (name == "token") GiveToken(Text(command, "token"));
      if (name == "reconnect") client_->Reconnect();
      if (name == "close") Close();
      if (name == "churn") Churn(command);
    }
  }

 private:
  void Connect(const json::object& command) {
    ClientOptions options;
    options.url = Text(command, "url");
    // A client that lives `speed` times as fast.
    const int64_t speed = Number(command, "speed", 1);
    options.dead_peer_timeout /= speed;
    options.connect_timeout /= speed;
    options.backoff_base /= speed;
    options.backoff_cap /= speed;
    options.queue_bytes_max = Number(command, "queue_bytes", options.queue_bytes_max);
    if (Flag(command, "tokens")) {
      options.token_source = [this](TokenCallback done) {
        {
          const std::lock_guard lock(mutex_);
          wants_token_ = std::move(done);
        }
        Print({{"event", "token_wanted"}});
      };
    }
    options.on_state = [this](ConnectionState state, const absl::Status& why) {
      json::object event{{"event", "state"}, {"state", StateWord(state)}};
      if (!why.ok()) event["why"] = why.ToString();
      Tell(event);
    };
    // The first calls of on_state may come before there is a client that a plan could use.
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
    if (!client.ok()) {
      Print({{"event", "error"}, {"code", client.status().ToString()}});
      return;
    }
    client_ = *std::move(client);
  }

  void Join(const json::object& command) {
    const std::string group = Text(command, "group");
    JoinOptions options;
    if (const json::value* since = command.if_contains("since")) {
      options.since = Position{Text(since->as_object(), "epoch"),
                               json::value_to<uint64_t>(since->as_object().at("offset"))};
    }
    const absl::Status status = client_->Join(
        group, options,
        [this](const Message& message) {
          Tell({{"event", "message"},
                {"group", message.group_id},
                {"epoch", message.epoch},
                {"offset", message.offset},
                {"text", message.text.value_or("")}});
        },
        [this, group, is_first = true](const absl::StatusOr<Joined>& joined) mutable {
          if (!joined.ok()) {
            Tell({{"event", "not_joined"}, {"group", group}, {"code", ErrorCode(joined.status())}});
            return;
          }
          Tell({{"event", is_first ? "joined" : "rejoined"},
                {"group", group},
                {"epoch", joined->position.epoch},
                {"offset", joined->position.offset}});
          is_first = false;
        },
        [this](const Gap& gap) {
          json::value from = nullptr;
          if (gap.from.has_value()) from = *gap.from;
          Tell({{"event", "gap"},
                {"group", gap.group_id},
                {"epoch", gap.epoch},
                {"from", from},
                {"to", gap.to}});
        });
    if (!status.ok())
      Tell({{"event", "not_joined"}, {"group", group}, {"code", ErrorCode(status)}});
  }

  void Send(const json::object& command) {
    const int64_t from = Number(command, "from", 0);
    const int64_t count = Number(command, "count", 1);
    for (int64_t n = from; n < from + count; ++n) {
      SendOne(Text(command, "group"), absl::StrCat(Text(command, "name"), " ", n));
    }
  }

  void SendOne(const std::string& group, const std::string& text) {
    const absl::Status status =
        client_->Send(group, text, [this, group, text](const absl::StatusOr<Position>& position) {
          if (!position.ok()) {
            TellNotSent(group, text, position.status());
            return;
          }
          Tell({{"event", "sent"},
                {"group", group},
                {"text", text},
                {"epoch", position->epoch},
                {"offset", position->offset}});
        });
    if (!status.ok()) TellNotSent(group, text, status);
  }

  void TellNotSent(const std::string& group, const std::string& text, const absl::Status& why) {
    Tell({{"event", "not_sent"}, {"group", group}, {"text", text}, {"code", ErrorCode(why)}});
  }

  void GiveToken(const std::string& token) {
    TokenCallback done;
    {
      const std::lock_guard lock(mutex_);
      done = std::exchange(wants_token_, nullptr);
    }
    done(token);
  }

  void Close() {
    client_->Close();
    Print({{"event", "closed"}});
  }

  // Clients that end while they connect. The pauses before their ends differ.
  void Churn(const json::object& command) {
    for (int64_t n = 0; n < Number(command, "count", 1); ++n) {
      ClientOptions options;
      options.url = Text(command, "url");
      const absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
      if (!client.ok()) {
        Print({{"event", "error"}, {"code", client.status().ToString()}});
        return;
      }
      (*client)->Join("churn", [](const Message&) {}).IgnoreError();
      (*client)->Send("churn", "x").IgnoreError();
      if (n % 3 > 0) std::this_thread::sleep_for(std::chrono::milliseconds(n % 5));
    }
    Print({{"event", "churned"}});
  }

  void SetPlan(const json::object& plan) {
    {
      const std::lock_guard lock(mutex_);
      plan_ = plan;
    }
    Print({{"event", "planned"}});
  }

  // Takes the plan if it is for this event.
  std::optional<json::object> TakePlan(const json::object& event) {
    const std::lock_guard lock(mutex_);
    if (!plan_.has_value() || Text(*plan_, "event") != Text(event, "event")) return std::nullopt;
    if (plan_->contains("text") && Text(*plan_, "text") != Text(event, "text")) return std::nullopt;
    return std::exchange(plan_, std::nullopt);
  }

  // Of a callback: prints it, and does what is planned for it.
  void Tell(const json::object& event) {
    Print(event);
    const std::optional<json::object> plan = TakePlan(event);
    if (!plan.has_value()) return;
    const std::string what = Text(*plan, "then");
    Print({{"event", "does"}, {"what", what}});
    if (what == "close") Close();
    if (what == "leave") client_->Leave(Text(event, "group"));
    if (what == "send") SendOne(Text(event, "group"), Text(*plan, "text_to_send"));
    if (what == "reconnect") client_->Reconnect();
    if (what == "block") {
      std::this_thread::sleep_for(std::chrono::milliseconds(Number(*plan, "ms", 0)));
    }
  }

  std::mutex mutex_;
  std::optional<json::object> plan_;  // for the next callback of a kind
  TokenCallback wants_token_;
  std::unique_ptr<Client> client_;  // the last: its callbacks use the others
};

}  // namespace
}  // namespace groupcast::tests

int main() {
  groupcast::tests::Driver driver;
  driver.Run();
  return 0;
}
