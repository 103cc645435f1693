// The client's logic in the conversations of sdk/conversations, whose README.md explains their
// steps. The test is the owner of the logic: it has the clock, and a connection that is a record of
// what the client did with it.

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "groupcast/client.h"
#include "groupcast/client_logic.h"
#include "groupcast/event.h"
#include "groupcast/session.h"
#include "groupcast/session_id.h"
#include "groupcast/status.h"
#include "groupcast/testing/conversation_step.h"
#include "groupcast/url.h"

namespace groupcast {
namespace {

constexpr char kFolder[] = "sdk/conversations";
// What only browsers tell.
constexpr absl::string_view kNeedsMissing[] = {"network_events", "wake_up"};
// The longest pause before a reconnect, with the default backoff.
constexpr absl::Duration kReconnectMax = absl::Seconds(30);
// The most that a client may do in a second of time that passes. A client that does more spins.
constexpr int kTimersPerSecondMax = 10;

class Conversation {
 public:
  explicit Conversation(const json::object& script) : sees_states_(Needs(script, "connection")) {}

  // Reports an unexpected outcome as a failure of the test.
  void Run(const json::object& step) {
    const auto& [actor, what] = *step.begin();
    const std::string handler =
        absl::StrCat(std::string(actor.data(), actor.size()), " ", Text(what));
    const auto found = handlers_.find(handler);
    ASSERT_NE(found, handlers_.end()) << "no such step: " << handler;
    const bool makes_client = handler == "user connect" || handler == "user cannot_connect";
    if (!logic_ && !makes_client) Connect({{"url", "ws://here"}});
    found->second(step);
    if (logic_) Pump();
    // The results of calls come before what else a step brings.
    seen_.insert(seen_.end(), results_.begin(), results_.end());
    seen_.insert(seen_.end(), others_.begin(), others_.end());
    results_.clear();
    others_.clear();
  }

 private:
  using Handler = std::function<void(const json::object&)>;

  // An attempt to connect, and the resulting connection.
  struct FakeConnection {
    std::string token;
    bool open = false;
    bool silent = false;
    bool gone = false;
  };

  // ---- The owner of the logic ----

  // Makes the client of a step "connect".
  absl::Status Make(const json::object& step) {
    absl::StatusOr<Url> parsed = ParseUrl(Text(step.at("url")));
    if (!parsed.ok()) return parsed.status();
    absl::StatusOr<std::string> session_id =
        AdoptSession(TextOf(step, "session").value_or(""), &*parsed);
    if (!session_id.ok()) return session_id.status();
    address_ = absl::StrCat("ws://", parsed->authority, parsed->target);
    ClientOptions options;
    options.on_state = [this](ConnectionState state, const absl::Status& why) {
      OnState(state, why);
    };
    options.on_error = [this](const absl::Status& why) {
      others_.push_back({{"error", ErrorWord(why)}});
    };
    const json::value* const token = step.if_contains("token");
    const bool has_source = token != nullptr && token->is_null();
    if (has_source) options.token_source = [](const TokenCallback&) {};  // See TokenAction.
    if (token != nullptr && !has_source) options.token = Text(*token);
    logic_.emplace(options, SessionIdentity{*session_id, "k-"}, [] { return 0.5; });
    return absl::OkStatus();
  }

  void Connect(const json::object& step) {
    ASSERT_EQ(Make(step), absl::OkStatus());
    logic_->Start(now_);
    Pump();
    others_.clear();  // The user listens from here on.
  }

  FakeConnection& connection() { return connections_.back(); }

  // Does what the client wants, until it wants nothing more.
  void Pump() {
    bool moved = true;
    while (moved) {
      moved = false;
      while (std::optional<ClientLogic::Action> action = logic_->NextAction()) {
        moved = true;
        std::visit([this](auto& what) { Do(what); }, *action);
      }
      while (const std::function<void()> run = logic_->NextCallback()) {
        moved = true;
        run();
      }
      const bool writable = !connections_.empty() && connection().open && !connection().gone;
      while (writable && !connection().gone) {
        const std::optional<std::string> frame = logic_->NextFrame(now_);
        if (!frame.has_value()) break;
        moved = true;
        OnWritten(json::parse(*frame).as_object());
      }
    }
  }

  void Do(ClientLogic::ConnectAction& action) {
    EXPECT_TRUE(connections_.empty() || connection().gone) << "there is a connection";
    connections_.push_back({std::move(action.token)});
  }
  void Do(ClientLogic::CloseAction&) {
    if (connection().silent) return;
    connection().gone = true;
    logic_->OnClosed({}, now_);
  }
  void Do(ClientLogic::AbandonAction&) { connection().gone = true; }
  void Do(ClientLogic::TokenAction& action) {
    ++token_questions_;
    token_request_ = action.request;
  }

  void GiveToken(absl::StatusOr<std::string> token) {
    token_questions_ = 0;
    logic_->OnToken(token_request_, std::move(token), now_);
  }

  void OnWritten(json::object command) {
    if (Text(command.at("cmd")) != "ping" || connection().silent) {
      return unread_.push_back(std::move(command));
    }
    Hear({{"event", "reply"}, {"id", command.at("id")}, {"pong", true}});
  }

  void Hear(const json::object& event) {
    logic_->OnEvent(ParseEvent(json::serialize(event)), now_);
  }

  // Lets the time go on to `end`, or until `is_done`.
  void Pass(absl::Time end, const std::function<bool()>& is_done) {
    const double seconds = absl::ToDoubleSeconds(end - now_);
    const int timers_max = 50 + static_cast<int>(kTimersPerSecondMax * seconds);
    for (int timers = 0; !is_done() && logic_->next_deadline() <= end; ++timers) {
      ASSERT_LE(timers, timers_max) << "the client spins";
      now_ = std::max(now_, logic_->next_deadline());
      logic_->OnTimer(now_);
      Pump();
    }
    if (!is_done()) now_ = end;
  }
  void Pass(absl::Duration time) {
    Pass(now_ + time, [] { return false; });
  }

  // Waits for the next attempt to connect.
  void Reach(absl::Duration within) {
    Pass(now_ + within, [this] { return connections_.size() > taken_; });
    ASSERT_GT(connections_.size(), taken_) << "no attempt to connect within " << within;
    taken_ = connections_.size();
    unread_.clear();
  }

  // ---- The user ----

  void OnState(ConnectionState state, const absl::Status& why) {
    static constexpr const char* kNames[] = {"connecting", "open", "waiting", "closed"};
    if (sees_states_) others_.push_back({{"state", kNames[static_cast<int>(state)]}});
    if (state == ConnectionState::kClosed && !why.ok()) {
      others_.push_back({{"error", ErrorWord(why)}});
    }
  }

  void Join(const json::object& step) {
    const std::string group = Text(step.at("group"));
    const auto answered = std::make_shared<bool>(false);
    auto callbacks = std::make_shared<GroupCallbacks>();
    callbacks->on_join = [this, group, answered](const absl::StatusOr<Joined>& result) {
      if (!result.ok()) return;  // It is tried again, or on_end follows.
      const auto& [position, recovered] = *result;
      if (!std::exchange(*answered, true)) {
        results_.push_back({{"joined", group},
                            {"epoch", position.epoch},
                            {"offset", position.offset},
                            {"recovered", recovered}});
      } else if (recovered) {  // Otherwise the gap says so.
        others_.push_back({{"rejoined", group}, {"offset", position.offset}});
      }
    };
    callbacks->on_message = [this](const Message& message) {
      others_.push_back({{"message", json::parse(message.json)},
                         {"group", message.group_id},
                         {"offset", message.offset}});
    };
    callbacks->on_gap = [this](const Gap& gap) {
      others_.push_back({{"gap", gap.group_id},
                         {"epoch", gap.epoch},
                         {"from", gap.from ? json::value(*gap.from) : json::value(nullptr)},
                         {"to", gap.to}});
    };
    if (FlagOf(step, "members")) {
      callbacks->on_members = [this, group](const absl::StatusOr<MembersUpdate>& update) {
        OnMembers(group, update);
      };
    }
    callbacks->on_end = [this, group, answered](const absl::Status& why) {
      const std::string code = ErrorWord(why);
      if (!*answered) return results_.push_back({{"join_failed", group}, {"code", code}});
      const bool is_known = code == "left" || code == "closed" || code == "refused";
      if (!is_known) others_.push_back({{"error", code}, {"group", group}});
    };
    JoinOptions options;
    options.since = SinceOf(step);
    options.history = NumberOf(step, "history", 0);
    EXPECT_EQ(logic_->session().Join(group, options, std::move(callbacks)), absl::OkStatus());
  }

  static json::array IdsOf(const std::vector<Member>& members) {
    json::array ids;
    for (const Member& member : members) ids.emplace_back(member.connection_id);
    return ids;
  }

  void OnMembers(const std::string& group, const absl::StatusOr<MembersUpdate>& update) {
    if (!update.ok()) {
      return others_.push_back({{"error", ErrorWord(update.status())}, {"group", group}});
    }
    json::array all;
    for (const auto& [id, member] : update->members) all.emplace_back(id);
    others_.push_back({{"members", group},
                       {"all", all},
                       {"joined", IdsOf(update->joined)},
                       {"left", IdsOf(update->left)}});
  }

  void ReadMembers(const json::object& step) {
    MembersOptions options;
    options.limit = NumberOf(step, "limit", options.limit);
    options.after = TextOf(step, "after").value_or("");
    options.count_only = FlagOf(step, "count_only");
    const std::string name = Text(step.at("name"));
    const auto on_members = [this, name](const absl::StatusOr<GroupMembers>& page) {
      if (!page.ok()) {
        return results_.push_back({{"read_failed", name}, {"code", ErrorWord(page.status())}});
      }
      results_.push_back(
          {{"read", name},
           {"count", page->count},
           {"ids", IdsOf(page->members)},
           {"next", page->next.empty() ? json::value(nullptr) : json::value(page->next)}});
    };
    EXPECT_EQ(logic_->session().Members(Text(step.at("group")), options, on_members),
              absl::OkStatus());
  }

  void Send(const json::object& step) {
    SendOptions options;
    options.exclude_self = FlagOf(step, "exclude_self");
    const std::string name = Text(step.at("name"));
    const auto on_sent = [this, name](const absl::StatusOr<Position>& result) {
      if (!result.ok()) {
        return results_.push_back({{"send_failed", name}, {"code", ErrorWord(result.status())}});
      }
      results_.push_back({{"sent", name}, {"epoch", result->epoch}, {"offset", result->offset}});
    };
    EXPECT_EQ(logic_->session().Send(Text(step.at("group")), json::serialize(step.at("message")),
                                     options, on_sent),
              absl::OkStatus());
  }

  // ---- The server ----

  void Welcome(const json::object& step) {
    const bool is_connecting = !connections_.empty() && !connection().open && !connection().gone;
    if (!is_connecting || connections_.size() > taken_) Reach(kReconnectMax);
    json::object event = {
        {"event", "welcome"}, {"connection_id", "c"}, {"ping_interval_ms", 25000}};
    if (const json::value* const fields = step.if_contains("fields")) {
      for (const auto& field : fields->as_object()) event[field.key()] = field.value();
    }
    connection().open = true;
    Hear(event);
  }

  void Read(const json::object& step) {
    const json::object& command = step.at("command").as_object();
    const auto found =
        std::find_if(unread_.begin(), unread_.end(), [&command](const json::object& written) {
          return std::all_of(command.begin(), command.end(), [&written](const auto& field) {
            const json::value* const value = written.if_contains(field.key());
            return value != nullptr && *value == field.value();
          });
        });
    ASSERT_NE(found, unread_.end())
        << "the client has not written " << command << ", but " << json::value_from(unread_);
    if (const std::optional<std::string> other = TextOf(step, "same_key_as")) {
      EXPECT_EQ(found->at("key"), named_.at(*other).at("key"));
    }
    if (const std::optional<std::string> name = TextOf(step, "name")) named_[*name] = *found;
    unread_.erase(found);
  }

  void Say(const json::object& step) {
    json::object event = step.at("event").as_object();
    if (const std::optional<std::string> to = TextOf(step, "to")) {
      const json::value* const id = named_.at(*to).if_contains("id");
      if (id == nullptr) return;  // The server answers no success of such a command.
      event["id"] = *id;
    }
    Hear(event);
  }

  void End(const ConnectionEnd& end) {
    connection().gone = true;
    logic_->OnClosed(end, now_);
  }

  const std::map<std::string, Handler> handlers_ = {
      {"user connect", [this](const json::object& step) { Connect(step); }},
      {"user cannot_connect",
       [this](const json::object& step) {
         EXPECT_EQ(Make(step).code(), absl::StatusCode::kInvalidArgument);
       }},
      {"user is_asked_for_a_token",
       [this](const json::object&) { EXPECT_EQ(std::exchange(token_questions_, 0), 1); }},
      {"user gives_token", [this](const json::object& step) { GiveToken(Text(step.at("token"))); }},
      {"user gives_no_token",
       [this](const json::object&) { GiveToken(absl::NotFoundError("there is none")); }},
      {"user join", [this](const json::object& step) { Join(step); }},
      {"user leave",
       [this](const json::object& step) { logic_->session().Leave(Text(step.at("group"))); }},
      {"user members", [this](const json::object& step) { ReadMembers(step); }},
      {"user send", [this](const json::object& step) { Send(step); }},
      {"user close", [this](const json::object&) { logic_->Close(now_); }},
      {"user reconnect", [this](const json::object&) { logic_->Reconnect(now_); }},
      {"user sees",
       [this](const json::object& step) {
         EXPECT_EQ(json::value_from(std::exchange(seen_, {})), step.at("events"));
       }},
      // The user looks away.
      {"user sees_anything", [this](const json::object&) { seen_.clear(); }},
      {"server is_connected_to",
       [this](const json::object& step) {
         Reach(MsOf(step, "within_ms"));
         EXPECT_EQ(address_, TextOf(step, "url").value_or(address_));
         EXPECT_EQ(connection().token, TextOf(step, "token").value_or(connection().token));
       }},
      {"server is_left_alone_for",
       [this](const json::object& step) {
         Pass(Ms(step.at("ms")));
         EXPECT_EQ(connections_.size(), taken_) << "the client tried to connect";
       }},
      {"server is_disconnected_within",
       [this](const json::object& step) {
         Pass(Ms(step.at("ms")));
         EXPECT_TRUE(connection().gone) << "the client still has a connection";
         EXPECT_TRUE(logic_->finished());
         EXPECT_EQ(logic_->next_deadline(), absl::InfiniteFuture()) << "the client has a timer";
       }},
      {"server welcomes", [this](const json::object& step) { Welcome(step); }},
      {"server is_unreachable",
       [this](const json::object&) { End({absl::UnavailableError("nobody is there")}); }},
      {"server refuses",
       [this](const json::object& step) {
         const int status = step.at("status").to_number<int>();
         End({HttpRefusal("server", status, Text(step.at("text"))), MayRetryHttp(status)});
       }},
      {"server reads", [this](const json::object& step) { Read(step); }},
      {"server has_read_all",
       [this](const json::object&) { EXPECT_EQ(unread_, std::vector<json::object>()); }},
      {"server says", [this](const json::object& step) { Say(step); }},
      {"server breaks",
       [this](const json::object& step) {
         const auto code = step.at("code").to_number<uint16_t>();
         End({CloseStatus(code, TextOf(step, "reason").value_or("")), MayReconnect(code), code});
       }},
      {"server falls_silent", [this](const json::object&) { connection().silent = true; }},
      {"time passes", [this](const json::object& step) { Pass(Ms(step.at("ms"))); }},
      // The client's clock goes on while the machine sleeps, and its timers do not.
      {"time sleep", [this](const json::object& step) { now_ += Ms(step.at("ms")); }},
      // The client does not know it.
      {"time wall_clock", [](const json::object&) {}},
  };

  const bool sees_states_;
  absl::Time now_ = absl::UnixEpoch();
  std::vector<json::object> seen_;             // By the user, since the last look.
  std::vector<json::object> results_;          // The results of calls that came in this step.
  std::vector<json::object> others_;           // What else came in it.
  std::map<std::string, json::object> named_;  // The commands that steps gave names.
  std::vector<json::object> unread_;           // Written by the client, and read by no step.
  std::vector<FakeConnection> connections_;    // The last one is of now.
  int token_questions_ = 0;                    // That no step has looked at.
  uint64_t token_request_ = 0;                 // The newest.
  size_t taken_ = 0;                           // The number of them that steps know of.
  std::string address_;
  std::optional<ClientLogic> logic_;
};

struct Script {
  std::string file;
  json::object conversation;
};

std::vector<Script> LoadScripts() {
  std::vector<Script> scripts;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream stream(entry.path());
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const json::value file = json::parse(text);
    for (const json::value& conversation : file.at("conversations").as_array()) {
      const json::object& script = conversation.as_object();
      if (std::any_of(std::begin(kNeedsMissing), std::end(kNeedsMissing),
                      [&script](absl::string_view need) { return Needs(script, need); })) {
        continue;
      }
      scripts.push_back({entry.path().stem().string(), conversation.as_object()});
    }
  }
  std::stable_sort(scripts.begin(), scripts.end(),
                   [](const Script& a, const Script& b) { return a.file < b.file; });
  return scripts;
}

std::string NameOf(const testing::TestParamInfo<Script>& info) {
  std::string name = absl::StrCat(info.param.file, "_", Text(info.param.conversation.at("name")));
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class ConversationsTest : public testing::TestWithParam<Script> {};

TEST_P(ConversationsTest, GoesAsWritten) {
  Conversation conversation(GetParam().conversation);
  for (const json::value& step : GetParam().conversation.at("steps").as_array()) {
    SCOPED_TRACE(json::serialize(step));
    conversation.Run(step.as_object());
    if (HasFailure()) return;  // What follows would not make sense.
  }
}

// A suite without conversations fails.
INSTANTIATE_TEST_SUITE_P(All, ConversationsTest, testing::ValuesIn(LoadScripts()), NameOf);

}  // namespace
}  // namespace groupcast
