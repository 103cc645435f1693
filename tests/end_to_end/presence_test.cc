// Presence over the real processes: two services with two workers each, and one channel server.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "boost/json.hpp"
#include "gtest/gtest.h"
#include "tests/support/crowd.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

using Ids = std::set<std::string>;

constexpr char kJoinAndWatch[] =
    R"({"cmd":"add_group","group_id":"room","presence":true,"id":"join"})";

std::string ReadMembers(const std::string& group, const std::string& more = "") {
  return absl::StrCat(R"({"cmd":"group_members","group_id":")", group, R"(","id":"members")", more,
                      "}");
}

TestClient WithSession(uint16_t port, const std::string& session) {
  RawClient raw(port);
  raw.Write(absl::StrReplaceAll(HandshakeRequest(kV1),
                                {{"GET / ", absl::StrCat("GET /?session=", session, " ")}}));
  return TestClient(std::move(raw), Mode::kV1);
}

std::string IdOf(const TestClient& client) { return client.welcome().Text("connection_id"); }

// A client that keeps a view of the members of "room", and remembers the events.
class Watcher {
 public:
  explicit Watcher(uint16_t port) : client_(port, Mode::kV1) {
    client_.Send(kJoinAndWatch);
    WaitForReply("join");
    ReadAll();
  }

  std::string id() const { return IdOf(client_); }
  const Ids& view() const { return view_; }
  const std::vector<std::string>& events() const { return events_; }
  void ForgetEvents() { events_.clear(); }

  // Takes what comes until the view is this.
  void WaitForView(const Ids& ids) {
    const absl::Time give_up = absl::Now() + 2 * kPatience;
    while (view_ != ids) {
      if (absl::Now() > give_up) throw Failure(absl::StrCat("a view of ", ids.size(), " members"));
      if (std::optional<std::string> text = client_.NextTextWithin(absl::Milliseconds(100))) {
        Take(Event(*std::move(text)));
      }
    }
  }
  // Reads the view once more, page by page, from the service. Events before it count.
  Ids ReadAll() {
    std::string after;
    Ids all;
    do {
      client_.Send(ReadMembers(
          "room", absl::StrCat(R"(,"limit":3)",
                               after.empty() ? "" : absl::StrCat(R"(,"after":")", after, "\""))));
      const Event page = WaitForReply("members");
      for (const auto& member : page.fields().at("members").as_array()) {
        all.insert(std::string(member.at("connection_id").as_string()));
      }
      after = page.Has("next") ? page.Text("next") : "";
    } while (!after.empty());
    view_ = all;
    return all;
  }
  // Asks until the answer is no error that may pass.
  Event WaitForReply(const std::string& id) {
    for (;;) {
      Event event(client_.NextText(2 * kPatience));
      if (event.name() == "reply" && event.Text("id") == id) return event;
      if (event.name() == "error") {
        EXPECT_TRUE(event.Bool("retry")) << event.text();
        client_.Send(ReadMembers("room", R"(,"limit":3)"));
      } else {
        Take(event);
      }
    }
  }
  TestClient& client() { return client_; }

 private:
  void Take(const Event& event) {
    if (event.name() == "member_joined") {
      events_.push_back("+" + event.Text("connection_id"));
      view_.insert(event.Text("connection_id"));
    } else if (event.name() == "member_left") {
      events_.push_back("-" + event.Text("connection_id"));
      view_.erase(event.Text("connection_id"));
    } else {
      // Of a channel that began again.
      EXPECT_EQ(event.name(), "gap") << event.text();
    }
  }

  TestClient client_;
  Ids view_;
  std::vector<std::string> events_;
};

class PresenceTest : public ::testing::Test {
 protected:
  TestClient Join(WebSocketService& service, const std::string& session = "") {
    TestClient client = session.empty() ? TestClient(service.port(), Mode::kV1)
                                        : WithSession(service.port(), session);
    client.Join("room");
    return client;
  }

  ChannelServer channel_;
  WebSocketService one_{channel_, /*workers=*/2};
  WebSocketService other_{channel_, /*workers=*/2};
};

TEST_F(PresenceTest, TheServicesSeeEachOthersMembers) {
  std::vector<TestClient> members;
  Ids ids;
  for (int i = 0; i < 5; ++i) {
    for (WebSocketService* service : {&one_, &other_}) {
      members.push_back(Join(*service));
      ids.insert(IdOf(members.back()));
    }
  }
  Watcher watcher(one_.port());
  ids.insert(watcher.id());
  watcher.WaitForView(ids);
  Watcher second(other_.port());
  ids.insert(second.id());
  watcher.WaitForView(ids);
  second.WaitForView(ids);

  TestClient late = Join(other_);
  ids.insert(IdOf(late));
  watcher.WaitForView(ids);
  second.WaitForView(ids);
  late.Send(LeaveGroup("\"room\""));
  ids.erase(IdOf(late));
  watcher.WaitForView(ids);
  second.WaitForView(ids);
  ids.erase(IdOf(members.front()));
  members.front().raw().Close();
  watcher.WaitForView(ids);
  EXPECT_EQ(watcher.ReadAll(), ids);
}

TEST_F(PresenceTest, AMemberThatDidNotAskGetsNoEvents) {
  TestClient quiet = Join(one_);
  Watcher watcher(one_.port());
  TestClient member = Join(other_);
  watcher.WaitForView({IdOf(quiet), watcher.id(), IdOf(member)});
  EXPECT_TRUE(quiet.IsQuiet());
}

TEST_F(PresenceTest, CountsAndPagesOfALargeGroup) {
  constexpr int kMembers = 1'200;
  TestClient reader(one_.port(), Mode::kV1);
  std::vector<TestClient> members;
  Ids ids;
  for (int i = 0; i < kMembers; ++i) {
    members.push_back(Join(i % 2 == 0 ? one_ : other_));
    ids.insert(IdOf(members.back()));
  }
  WaitUntil("all are counted", [&] {
    reader.Send(ReadMembers("room", R"(,"count_only":true)"));
    return reader.NextEvent().Number("count") == kMembers;
  });
  Ids all;
  std::string after;
  int pages = 0;
  do {
    reader.Send(ReadMembers(
        "room", absl::StrCat(R"(,"limit":1000)",
                             after.empty() ? "" : absl::StrCat(R"(,"after":")", after, "\""))));
    const Event page = reader.NextEvent();
    ++pages;
    EXPECT_EQ(page.Number("count"), kMembers);
    EXPECT_LE(page.fields().at("members").as_array().size(), 500u);
    for (const auto& member : page.fields().at("members").as_array()) {
      EXPECT_TRUE(all.insert(std::string(member.at("connection_id").as_string())).second);
    }
    after = page.Has("next") ? page.Text("next") : "";
  } while (!after.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(all, ids);
}

TEST_F(PresenceTest, AKilledWorkersMembersLeave) {
  std::vector<TestClient> crowd = ConnectCrowd(&other_, 8, Mode::kV1);
  Watcher watcher(one_.port());
  Ids ids = {watcher.id()};
  for (TestClient& member : crowd) {
    member.Join("room");
    ids.insert(IdOf(member));
  }
  watcher.WaitForView(ids);
  kill(other_.WorkerPids().front(), SIGKILL);
  // Its clients see their connections end; the others are asked.
  Ids left = {watcher.id()};
  for (TestClient& member : crowd) {
    if (member.raw().state() != RawClient::State::kOpen ||
        !member.raw().Write(TextFrame(Ping("1")))) {
      continue;
    }
    if (!member.raw().ReadMore() || member.raw().state() != RawClient::State::kOpen) continue;
    left.insert(IdOf(member));
  }
  ASSERT_LT(left.size(), ids.size()) << "nobody was on the worker that died";
  watcher.WaitForView(left);
}

TEST_F(PresenceTest, AClientOfAKilledWorkerThatComesBackNeitherLeavesNorJoins) {
  Watcher watcher(one_.port());
  TestClient member = Join(other_, "alice");
  const std::string id = IdOf(member);
  watcher.WaitForView({watcher.id(), id});
  watcher.ForgetEvents();
  for (const pid_t worker : other_.WorkerPids()) kill(worker, SIGKILL);
  member.raw().ReadToEnd();
  TestClient again = Join(one_, "alice");
  // A member without a session comes and goes: what came before it has been told.
  TestClient mark = Join(one_);
  watcher.WaitForView({watcher.id(), id, IdOf(mark)});
  // It is the successor: with it, the member leaves.
  again.Send(LeaveGroup("\"room\""));
  watcher.WaitForView({watcher.id(), IdOf(mark)});
  EXPECT_EQ(watcher.events(), (std::vector<std::string>{"+" + IdOf(mark), "-" + id}));
}

TEST_F(PresenceTest, AReconnectWithinTheGraceIsNoEvent) {
  Watcher watcher(one_.port());
  TestClient member = Join(other_, "bob");
  const std::string id = IdOf(member);
  watcher.WaitForView({watcher.id(), id});
  watcher.ForgetEvents();
  for (int i = 0; i < 3; ++i) {
    member.raw().Close();
    member = Join(i % 2 == 0 ? one_ : other_, "bob");
  }
  TestClient mark = Join(other_);
  watcher.WaitForView({watcher.id(), id, IdOf(mark)});
  member.Send(LeaveGroup("\"room\""));
  watcher.WaitForView({watcher.id(), IdOf(mark)});
  EXPECT_EQ(watcher.events(), (std::vector<std::string>{"+" + IdOf(mark), "-" + id}));
}

TEST_F(PresenceTest, ARestartOfTheChannelServerChangesNoView) {
  Watcher watcher(one_.port());
  std::vector<TestClient> members;
  Ids ids = {watcher.id()};
  for (int i = 0; i < 4; ++i) {
    members.push_back(Join(i % 2 == 0 ? one_ : other_));
    ids.insert(IdOf(members.back()));
  }
  watcher.WaitForView(ids);
  watcher.ForgetEvents();
  channel_.Kill();
  one_.process().WaitForOutputTimes("the channel is away", 2);
  other_.process().WaitForOutputTimes("the channel is away", 2);
  channel_.StartAgain();
  // The end of the settling: a page comes again, and what is new is told.
  EXPECT_EQ(watcher.ReadAll(), ids);
  EXPECT_TRUE(watcher.events().empty());
  TestClient late = Join(other_);
  ids.insert(IdOf(late));
  watcher.WaitForView(ids);
  EXPECT_EQ(watcher.events(), std::vector<std::string>{"+" + IdOf(late)});
}

// A member whose client came back has the id of an earlier connection, which may have been another
// worker's.
TEST(PresenceRestartTest, AMemberThatCameBackStaysWhenTheChannelServerRestarts) {
  ChannelServer channel;
  // One worker: what it is told of its member comes before what it is told of the next one.
  WebSocketService service(channel, /*workers=*/1);
  WebSocketService other(channel, /*workers=*/1);
  Watcher watcher(service.port());
  TestClient member = WithSession(other.port(), "dora");
  member.Join("room");
  const std::string id = IdOf(member);
  watcher.WaitForView({watcher.id(), id});
  member.raw().Close();
  TestClient again = WithSession(service.port(), "dora");
  again.Join("room");
  TestClient mark(service.port(), Mode::kV1);
  mark.Join("room");
  const Ids ids = {watcher.id(), id, IdOf(mark)};
  watcher.WaitForView(ids);
  watcher.ForgetEvents();

  channel.Kill();
  for (WebSocketService* each : {&service, &other}) {
    each->process().WaitForOutputTimes("the channel is away", 1);
  }
  channel.StartAgain();
  EXPECT_EQ(watcher.ReadAll(), ids);
  again.Send(LeaveGroup("\"room\""));
  watcher.WaitForView({watcher.id(), IdOf(mark)});
  EXPECT_EQ(watcher.events(), std::vector<std::string>{"-" + id});
}

// The old connection is half-open: its client has come back, and nobody knows of the loss yet.
TEST(PresenceHalfOpenTest, AClientThatComesBackLongBeforeItsLossIsKnownIsNoEvent) {
  // Longer than a second connection of a user waits.
  ChannelServer channel({"--presence_grace=1500ms"});
  WebSocketService service(channel, /*workers=*/1);
  WebSocketService other(channel, /*workers=*/1);
  Watcher watcher(service.port());
  TestClient old = WithSession(other.port(), "erin");
  old.Join("room");
  TestClient clock = WithSession(service.port(), "frank");
  clock.Join("room");
  watcher.WaitForView({watcher.id(), IdOf(old), IdOf(clock)});
  watcher.ForgetEvents();
  TestClient again = WithSession(service.port(), "erin");
  again.Join("room");
  clock.raw().Close();
  watcher.WaitForView({watcher.id(), IdOf(old)});  // a grace later
  EXPECT_EQ(watcher.ReadAll(), (Ids{watcher.id(), IdOf(old)}));
  old.raw().Close();
  TestClient mark(other.port(), Mode::kV1);
  mark.Join("room");
  watcher.WaitForView({watcher.id(), IdOf(old), IdOf(mark)});
  again.Send(LeaveGroup("\"room\""));
  watcher.WaitForView({watcher.id(), IdOf(mark)});
  EXPECT_EQ(watcher.events(),
            (std::vector<std::string>{"-" + IdOf(clock), "+" + IdOf(mark), "-" + IdOf(old)}));
}

TEST(PresenceRuleTest, AGroupRuleForbidsIt) {
  const std::string path = NewTempPath("groupcast.json");
  std::ofstream(path) << R"({"group_rules": [{"prefix": "hidden.", "observe": "nobody"}]})";
  Groupcast groupcast(/*workers=*/1, {"--config=" + path});
  TestClient client(groupcast.service.port(), Mode::kV1);
  client.Send(ReadMembers("hidden.1"));
  const Event error = client.NextEvent();
  EXPECT_EQ(error.Text("code"), "forbidden");
  EXPECT_FALSE(error.Bool("retry"));
  client.Send(R"({"cmd":"add_group","group_id":"hidden.1","presence":true})");
  EXPECT_EQ(client.NextEvent().Text("code"), "forbidden");
  client.Send(ReadMembers("other"));
  EXPECT_EQ(client.NextEvent().Number("count"), 0);
}

TEST(PresenceGraceTest, WithoutGraceEachConnectionCounts) {
  ChannelServer channel({"--presence_grace=0s"});
  WebSocketService service(channel, /*workers=*/1);
  Watcher watcher(service.port());
  TestClient member = WithSession(service.port(), "carol");
  member.Join("room");
  watcher.WaitForView({watcher.id(), IdOf(member)});
  member.raw().Close();
  watcher.WaitForView({watcher.id()});
}

}  // namespace
}  // namespace groupcast::tests
