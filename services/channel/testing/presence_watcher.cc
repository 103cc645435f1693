#include "services/channel/testing/presence_watcher.h"

#include <charconv>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/json.hpp"

namespace groupcast::service::testing {
namespace {

uint64_t IdOf(const boost::json::value& json) {
  const boost::json::string& text = json.as_string();
  uint64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id, 16);
  return id;
}

}  // namespace

PresenceWatcher::PresenceWatcher(const Options& options, EventQueue* events, Random* random,
                                 Truth* truth, std::function<SimulatedHost*()> find_host,
                                 std::function<bool(uint64_t)> stays)
    : options_(options),
      events_(events),
      random_(random),
      truth_(truth),
      find_host_(std::move(find_host)),
      stays_(std::move(stays)),
      self_(std::make_shared<PresenceWatcher*>(this)) {
  Connect();
}

PresenceWatcher::~PresenceWatcher() {
  *self_ = nullptr;
  if (connection_ != nullptr) connection_->on_text = nullptr, connection_->on_cut = nullptr;
}

void PresenceWatcher::Later(absl::Duration after, void (PresenceWatcher::*work)()) {
  events_->After(after, [self = self_, attempt = attempt_, work] {
    if (*self != nullptr && (*self)->attempt_ == attempt) ((*self)->*work)();
  });
}

void PresenceWatcher::Connect() {
  ++attempt_;
  view_.clear();
  next_.clear();
  complete_ = false;
  host_ = find_host_();
  if (host_ == nullptr) return Later(absl::Milliseconds(100), &PresenceWatcher::Connect);
  connection_ = host_->Connect(/*v1=*/true, options_.session);
  connection_->on_text = [self = self_](const std::string& text) {
    if (*self != nullptr) (*self)->OnText(text);
  };
  connection_->on_cut = [self = self_] {
    if (*self != nullptr) (*self)->OnCut();
  };
  Join();
}

void PresenceWatcher::OnCut() {
  connection_->on_text = nullptr;
  host_ = nullptr;
  ++attempt_;
  complete_ = false;
  Later(random_->Between(absl::ZeroDuration(), absl::Milliseconds(500)), &PresenceWatcher::Connect);
}

void PresenceWatcher::Cut() {
  // A worker that has died has cut it already.
  if (host_ != nullptr && !connection_->cut) host_->Cut(connection_);
}

void PresenceWatcher::Join() {
  if (connection_->cut) return;
  host_->FromClient(connection_,
                    absl::StrCat(R"({"cmd":"add_group","presence":true,"id":1,"group_id":")",
                                 options_.group, "\"}"));
}

void PresenceWatcher::AskPage() {
  if (connection_->cut) return;
  host_->FromClient(connection_,
                    absl::StrCat(R"({"cmd":"group_members","id":2,"limit":)", options_.limit,
                                 next_.empty() ? "" : absl::StrCat(R"(,"after":")", next_, "\""),
                                 R"(,"group_id":")", options_.group, "\"}"));
}

void PresenceWatcher::OnText(const std::string& text) {
  const boost::json::object json = boost::json::parse(text).as_object();
  const boost::json::string& event = json.at("event").as_string();
  if (event == "reply" && json.at("id").as_int64() == 1) return AskPage();
  if (event == "reply") {
    ++pages_;
    for (const boost::json::value& member : json.at("members").as_array()) {
      view_[IdOf(member.at("connection_id"))] = member.at("since").as_int64();
    }
    const boost::json::value* const next = json.if_contains("next");
    if (next == nullptr) {
      complete_ = true;
      if (static_cast<size_t>(json.at("count").as_int64()) != view_.size()) {
        truth_->Fail(absl::StrCat("group ", options_.group, ": a watcher has ", view_.size(),
                                  " members, but the last page says ",
                                  json.at("count").as_int64()));
      }
      return;
    }
    next_ = std::string(next->as_string());
    return AskPage();
  }
  if (event == "error") {
    const bool joins = json.at("cmd").as_string() == "add_group";
    const boost::json::string& code = json.at("code").as_string();
    // The second one: it is slow, and its outbox is small.
    if (code != "unavailable" && code != "rate_limited") {
      truth_->Fail(absl::StrCat("a watcher gets ", text));
    }
    return Later(absl::Milliseconds(200),
                 joins ? &PresenceWatcher::Join : &PresenceWatcher::AskPage);
  }
  if (!may_change_ && (event == "member_joined" || event == "member_left")) {
    const uint64_t id = IdOf(json.at("connection_id"));
    truth_->Fail(
        absl::StrCat("all clients stay, but a watcher gets ", text, " of ", truth_->ClientOf(id)));
  }
  if (event == "member_joined") {
    ++joins_;
    const uint64_t id = IdOf(json.at("connection_id"));
    const int64_t since = json.at("since").as_int64();
    const auto [member, is_new] = view_.try_emplace(id, 0);
    if (!is_new && complete_ && member->second == since) {
      truth_->Fail(absl::StrCat("group ", options_.group, ": ", id, " joins a second time"));
    }
    member->second = since;
  }
  if (event == "member_left") {
    ++leaves_;
    const uint64_t id = IdOf(json.at("connection_id"));
    if (view_.erase(id) == 0 && complete_) {
      truth_->Fail(absl::StrCat("group ", options_.group, ": ", id, " leaves, but was not there"));
    }
    if (stays_(id)) {
      truth_->Fail(absl::StrCat("group ", options_.group, ": ", id, " leaves a view, but stays"));
    }
  }
}

std::string PresenceWatcher::WhyNotAtRest(const std::set<uint64_t>& members) const {
  if (!complete_) return absl::StrCat("a watcher of ", options_.group, " has no view");
  std::multiset<std::string> seen;
  std::multiset<std::string> there;
  for (const auto& [id, since] : view_) seen.insert(truth_->ClientOf(id));
  for (const uint64_t id : members) there.insert(truth_->ClientOf(id));
  // All connections of a session are one member.
  if (options_.sessions_count_once) {
    const std::set<std::string> clients(there.begin(), there.end());
    there = {clients.begin(), clients.end()};
  }
  if (seen == there) return "";
  std::string why = absl::StrCat("a watcher of ", options_.group, " sees");
  for (const std::string& client : seen) absl::StrAppend(&why, " ", client, ",");
  why += " but there are";
  for (const std::string& client : there) absl::StrAppend(&why, " ", client, ",");
  return why;
}

}  // namespace groupcast::service::testing
