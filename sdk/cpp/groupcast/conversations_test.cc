// Session in the conversations of sdk/conversations, whose README.md explains their steps. It runs
// those that need no connection: Session has none.

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "groupcast/event.h"
#include "groupcast/session.h"
#include "groupcast/status.h"

namespace groupcast {
namespace {

namespace json = boost::json;

constexpr char kFolder[] = "sdk/conversations";
// The owner of a session tries refused joins again after a pause. Here it takes this time.
constexpr absl::Duration kJoinPause = absl::Seconds(1);

std::string Text(const json::value& value) { return std::string(value.as_string()); }

std::optional<Position> SinceOf(const json::object& step) {
  const json::value* const since = step.if_contains("since");
  if (since == nullptr) return std::nullopt;
  return Position{Text(since->at("epoch")), since->at("offset").to_number<uint64_t>()};
}

class Conversation {
 public:
  // Reports an unexpected outcome as a failure of the test.
  void Run(const json::object& step) {
    const auto& [actor, what] = *step.begin();
    const std::string handler =
        absl::StrCat(std::string(actor.data(), actor.size()), " ", Text(what));
    const auto found = handlers_.find(handler);
    ASSERT_NE(found, handlers_.end()) << "no such step: " << handler;
    found->second(step);
    while (const std::function<void()> run = session_.NextCallback()) run();
    // The results of calls come before what else a step brings.
    seen_.insert(seen_.end(), results_.begin(), results_.end());
    seen_.insert(seen_.end(), others_.begin(), others_.end());
    results_.clear();
    others_.clear();
  }

 private:
  using Handler = std::function<void(const json::object&)>;

  static std::string CodeOf(const absl::Status& status) {
    const std::string word = ErrorWord(status);
    if (!word.empty()) return word;
    return status == OutcomeUnknown() ? "outcome_unknown" : status.ToString();
  }

  void Join(const json::object& step) {
    const std::string group = Text(step.at("group"));
    auto callbacks = std::make_shared<GroupCallbacks>();
    callbacks->on_join = [this, group,
                          answered = false](const absl::StatusOr<Joined>& result) mutable {
      if (!result.ok() && IsTransient(result.status())) return;  // It is tried again.
      const bool is_result = !std::exchange(answered, true);
      if (!result.ok()) {
        const std::string code = CodeOf(result.status());
        if (is_result) return results_.push_back({{"join_failed", group}, {"code", code}});
        return others_.push_back({{"error", code}, {"group", group}});
      }
      const auto& [position, recovered] = *result;
      if (is_result) {
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
    JoinOptions options;
    options.since = SinceOf(step);
    if (const json::value* const history = step.if_contains("history")) {
      options.history = history->to_number<uint32_t>();
    }
    EXPECT_EQ(session_.Join(group, options, std::move(callbacks)), absl::OkStatus());
  }

  void Send(const json::object& step) {
    SendOptions options;
    const json::value* const exclude_self = step.if_contains("exclude_self");
    options.exclude_self = exclude_self != nullptr && exclude_self->as_bool();
    const std::string name = Text(step.at("name"));
    EXPECT_EQ(
        session_.Send(Text(step.at("group")), json::serialize(step.at("message")), options,
                      [this, name](const absl::StatusOr<Position>& result) {
                        if (!result.ok()) {
                          return results_.push_back(
                              {{"send_failed", name}, {"code", CodeOf(result.status())}});
                        }
                        results_.push_back(
                            {{"sent", name}, {"epoch", result->epoch}, {"offset", result->offset}});
                      }),
        absl::OkStatus());
  }

  void ReadFrames() {
    while (std::optional<std::string> frame = session_.NextFrame(now_)) {
      unread_.push_back(json::parse(*frame).as_object());
    }
  }

  void Read(const json::object& step) {
    ReadFrames();
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
    if (const json::value* const other = step.if_contains("same_key_as")) {
      EXPECT_EQ(found->at("key"), named_.at(Text(*other)).at("key"));
    }
    if (const json::value* const name = step.if_contains("name")) named_[Text(*name)] = *found;
    unread_.erase(found);
  }

  void Say(json::object event, const json::value* to) {
    if (to != nullptr) {
      const json::value* const id = named_.at(Text(*to)).if_contains("id");
      if (id == nullptr) return;  // The server answers no success of such a command.
      event["id"] = *id;
    }
    absl::StatusOr<Event> parsed = ParseEvent(json::serialize(event));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(session_.OnEvent(*std::move(parsed), now_), absl::OkStatus());
  }

  void Pass(absl::Duration time) {
    const absl::Time end = now_ + time;
    absl::Time retry = now_ + kJoinPause;
    while (now_ < end) {
      now_ = std::min({end, retry, std::max(now_, session_.next_deadline())});
      if (now_ >= session_.next_deadline()) session_.OnTimer(now_);
      if (now_ < retry) continue;
      session_.RetryJoins();
      retry = now_ + kJoinPause;
    }
  }

  static absl::Duration TimeOf(const json::object& step) {
    return absl::Milliseconds(step.at("ms").to_number<int64_t>());
  }

  const std::map<std::string, Handler> handlers_ = {
      {"user join", [this](const json::object& step) { Join(step); }},
      {"user leave", [this](const json::object& step) { session_.Leave(Text(step.at("group"))); }},
      {"user send", [this](const json::object& step) { Send(step); }},
      {"user sees",
       [this](const json::object& step) {
         EXPECT_EQ(json::value_from(std::exchange(seen_, {})), step.at("events"));
       }},
      {"server welcomes",
       [this](const json::object&) {
         Say({{"event", "welcome"}}, /*to=*/nullptr);
       }},
      {"server reads", [this](const json::object& step) { Read(step); }},
      {"server has_read_all",
       [this](const json::object&) {
         ReadFrames();
         EXPECT_EQ(unread_, std::vector<json::object>());
       }},
      {"server says",
       [this](const json::object& step) {
         Say(step.at("event").as_object(), step.if_contains("to"));
       }},
      {"server breaks",
       [this](const json::object&) {
         ReadFrames();
         session_.OnDisconnected();
         unread_.clear();
       }},
      {"time passes", [this](const json::object& step) { Pass(TimeOf(step)); }},
      // The session's clock goes on while the machine sleeps, and its timer does not.
      {"time sleep", [this](const json::object& step) { now_ += TimeOf(step); }},
      // The session does not know it.
      {"time wall_clock", [](const json::object&) {}},
  };

  absl::Time now_ = absl::UnixEpoch();
  std::vector<json::object> seen_;             // By the user, since the last look.
  std::vector<json::object> results_;          // The results of calls that came in this step.
  std::vector<json::object> others_;           // What else came in it.
  std::map<std::string, json::object> named_;  // The commands that steps gave names.
  std::vector<json::object> unread_;           // Written by the session, and read by no step.
  Session session_{{"session", "k-"}, {/*queue_bytes_max=*/10'000, /*groups_max=*/10}};
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
      if (conversation.as_object().contains("needs")) continue;
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
  Conversation conversation;
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
