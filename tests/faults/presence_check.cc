#include "tests/faults/presence_check.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "tests/faults/chaos_access.h"
#include "tests/support/event.h"
#include "tests/support/raw_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

constexpr absl::Duration kViewPatience = absl::Seconds(90);
// The user that shows that the new server tells changes.
constexpr char kMark[] = "mark";

using Watchers = std::vector<std::unique_ptr<MemberWatcher>>;

// Waits until every watcher sees these users. Otherwise it returns what is wrong.
std::optional<std::string> AwaitViews(const char* when, const Watchers& watchers,
                                      const std::multiset<std::string>& users) {
  std::string wrong;
  const auto are_right = [&] {
    for (const std::unique_ptr<MemberWatcher>& watcher : watchers) {
      const std::optional<MemberWatcher::View> view = watcher->view();
      std::multiset<std::string> seen;
      if (view.has_value()) {
        for (const auto& [id, user] : *view) seen.insert(user);
      }
      if (seen == users) continue;
      wrong = absl::StrCat("presence: ", when, ", a view has ", absl::StrJoin(seen, ", "),
                           ", but there are ", absl::StrJoin(users, ", "));
      return false;
    }
    return true;
  };
  try {
    WaitUntil("the views", are_right, kViewPatience);
    return std::nullopt;
  } catch (const Failure&) {
    return wrong;
  }
}

}  // namespace

std::vector<std::string> PresenceCheck::Run(const Watchers& watchers,
                                            std::multiset<std::string> users) {
  if (watchers.empty()) return {};
  if (const auto wrong = AwaitViews("in the end", watchers, users)) return {*wrong};
  std::vector<std::optional<MemberWatcher::View>> before;
  for (const std::unique_ptr<MemberWatcher>& watcher : watchers) {
    before.push_back(watcher->view());
    watcher->ExpectNoChangeBut(kMark);
  }
  server_->Kill();
  server_->StartAgain();
  TestClient mark = JoinMark();
  users.insert(kMark);
  if (const auto wrong = AwaitViews("after a restart of the channel server", watchers, users)) {
    return {*wrong};
  }
  std::vector<std::string> findings;
  for (size_t i = 0; i < watchers.size(); ++i) {
    std::optional<MemberWatcher::View> now = watchers[i]->view();
    if (!now.has_value()) continue;  // it reconnects
    std::erase_if(*now, [](const auto& member) { return member.second == kMark; });
    if (now != before[i]) {
      findings.push_back("presence: a restart of the channel server changes a view");
    }
  }
  mark.Send(LeaveGroup(Quoted(group_id_)));
  users.erase(kMark);
  if (const auto wrong = AwaitViews("after a leave", watchers, users)) findings.push_back(*wrong);
  return findings;
}

TestClient PresenceCheck::JoinMark() {
  std::optional<TestClient> mark;
  WaitUntil("the mark joins", [&] {
    try {
      RawClient raw(port_);
      raw.Write(absl::StrReplaceAll(
          HandshakeRequest(kV1), {{"GET / ", absl::StrCat("GET /?token=", TokenOf(kMark), " ")}}));
      mark.emplace(std::move(raw), Mode::kV1);
      mark->Join(group_id_);
      return true;
    } catch (const Failure&) {
      return false;  // the channel is not back yet
    }
  });
  return *std::move(mark);
}

}  // namespace groupcast::tests
