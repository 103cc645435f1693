#include "tests/faults/member_watcher.h"

#include <chrono>
#include <condition_variable>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "boost/json.hpp"
#include "tests/support/raw_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

constexpr size_t kFindingsMax = 20;
constexpr absl::Duration kReadInterval = absl::Milliseconds(300);
constexpr absl::Duration kLook = absl::Milliseconds(50);
constexpr std::chrono::milliseconds kReconnectAfter{100};

std::string UserOf(const boost::json::object& member) {
  const boost::json::value* const user = member.if_contains("user");
  return user == nullptr ? "" : std::string(user->as_string());
}

std::string Describe(const MemberWatcher::View& view) {
  std::string text;
  for (const auto& [id, user] : view) absl::StrAppend(&text, " ", id, " (", user, ")");
  return text;
}

}  // namespace

MemberWatcher::MemberWatcher(Options options)
    : options_(std::move(options)), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

MemberWatcher::~MemberWatcher() = default;

std::optional<MemberWatcher::View> MemberWatcher::view() const {
  const std::lock_guard lock(mutex_);
  if (!complete_) return std::nullopt;
  return view_;
}

MemberWatcher::Counts MemberWatcher::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::vector<std::string> MemberWatcher::findings() const {
  const std::lock_guard lock(mutex_);
  return findings_;
}

void MemberWatcher::ExpectNoChangeBut(const std::string& user) {
  const std::lock_guard lock(mutex_);
  may_change_ = user;
}

void MemberWatcher::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock<std::mutex> lock(mutex);
  std::condition_variable_any stopped;
  while (!stop.stop_requested()) {
    try {
      Watch(stop);
    } catch (const Failure&) {
      // The faults are meant to end connections.
    }
    {
      const std::lock_guard view_lock(mutex_);
      complete_ = false;
      view_.clear();
    }
    stopped.wait_for(lock, stop, kReconnectAfter, [] { return false; });
  }
}

void MemberWatcher::Watch(const std::stop_token& stop) {
  RawClient raw(options_.port);
  raw.Write(absl::StrReplaceAll(HandshakeRequest(kV1),
                                {{"GET / ", absl::StrCat("GET /?session=", options_.session,
                                                         "&token=", options_.token, " ")}}));
  TestClient client(std::move(raw), Mode::kV1);
  {
    const std::lock_guard lock(mutex_);
    ++counts_.connections;
  }
  const std::string join = absl::StrCat(R"({"cmd":"add_group","presence":true,"id":"join",)",
                                        R"("group_id":")", options_.group, "\"}");
  const std::string read = absl::StrCat(R"({"cmd":"group_members","limit":500,"id":"members",)",
                                        R"("group_id":")", options_.group, "\"}");
  may_read_ = false;
  client.Send(join);
  absl::Time next_read = absl::InfinitePast();
  while (!stop.stop_requested()) {
    if (may_read_ && absl::Now() >= next_read) {
      may_read_ = false;
      client.Send(read);
      next_read = absl::Now() + kReadInterval;
    }
    const std::optional<std::string> text = client.NextTextWithin(kLook);
    if (text.has_value()) {
      Take(Event(*text), &client);
    } else if (client.raw().state() != RawClient::State::kOpen) {
      return;
    }
  }
}

void MemberWatcher::Take(const Event& event, TestClient* client) {
  const std::string name = event.name();
  if (name == "member_joined" || name == "member_left") {
    TakeChange(event, name == "member_joined");
  } else if (name == "reply") {
    may_read_ = true;
    if (event.Text("id") == "members") TakePage(event);
  } else if (name == "error") {
    // Of the channel, which is away.
    if (event.Text("code") != "unavailable" || !event.Has("id")) {
      Find("gets an error", event);
    } else if (event.Text("id") == "join") {
      throw Failure("it begins again");
    }
    may_read_ = true;
  } else if (name == "closing") {
    client->raw().ReadToEnd();
  }
}

// A page has the effect of all events before it.
void MemberWatcher::TakePage(const Event& page) {
  View members;
  for (const boost::json::value& member : page.fields().at("members").as_array()) {
    members.emplace(std::string(member.at("connection_id").as_string()),
                    UserOf(member.as_object()));
  }
  if (static_cast<size_t>(page.Number("count")) != members.size()) Find("miscounts", page);
  bool differs = false;
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    ++counts_.pages;
    differs = complete_ && members != view_;
    before = Describe(view_);
    view_ = std::move(members);
    complete_ = true;
  }
  if (differs) Find(absl::StrCat("has by its events", before, ", and then gets"), page);
}

void MemberWatcher::TakeChange(const Event& event, bool joined) {
  const std::string id = event.Text("connection_id");
  const std::string user = UserOf(event.fields());
  const char* problem = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // A member that is there already has new fields.
    bool changes = true;
    if (joined) {
      ++counts_.joins;
      const auto [member, is_new] = view_.try_emplace(id, user);
      changes = is_new || std::exchange(member->second, user) != user;
    } else {
      ++counts_.leaves;
      if (view_.erase(id) == 0 && complete_) problem = "does not know who leaves";
    }
    if (changes && may_change_.has_value() && user != *may_change_) {
      problem = "sees a change, but all stay";
    }
  }
  if (problem != nullptr) Find(problem, event);
}

void MemberWatcher::Find(absl::string_view what, const Event& event) {
  const std::lock_guard lock(mutex_);
  if (findings_.size() >= kFindingsMax) return;
  findings_.push_back(absl::StrCat("presence: ", options_.session, " ", what, " ", event.text()));
}

}  // namespace groupcast::tests
