#include "services/channel/zmq/presence_client.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel/wire.h"

namespace groupcast::service {
namespace {

using channel::v1::PresenceFrame;
using Wire = channel::v1::PresenceGroup;
using Words = std::vector<std::string>;

// A client with a server's side that is written by hand, and with a process that has members.
class PresenceClientTest : public testing::Test, private ChannelLinks, private PresenceListener {
 protected:
  PresenceClientTest() { options_.report_interval = absl::ZeroDuration(); }

  PresenceClient& client() {
    if (!client_.has_value()) {
      client_.emplace(options_, &clock_, static_cast<ChannelLinks*>(this));
      client_->SetListener(this);
    }
    return *client_;
  }
  void Connect() {
    client().OnDisconnected();
    client().OnConnected(true);
    sent_number_ = 0;
    Flush();
  }
  // What the client has sent since the last call.
  Words Flush() {
    client().Flush();
    return std::exchange(sent_, {});
  }
  // The server sends a frame, and confirms all that has come.
  void Give(const std::string& group_id, Wire news, const std::vector<uint64_t>& joined = {},
            const std::vector<uint64_t>& left = {}) {
    PresenceFrame frame;
    frame.set_stream(stream_);
    frame.set_number(++sent_number_);
    frame.set_confirmed(received_number_);
    news.set_group_id(group_id);
    for (const uint64_t id : joined) {
      auto* const member = news.add_joined();
      member->set_connection_id(id);
      member->set_info(std::string(info_bytes_, 'i'));
    }
    for (const uint64_t id : left) news.add_left(id);
    *frame.add_groups() = news;
    client().OnFrame(frame);
  }
  void GiveTable(const std::string& group_id, const std::vector<uint64_t>& ids) {
    Wire news;
    news.set_begins(true);
    news.set_ends(true);
    Give(group_id, news, ids);
  }
  void GiveSwitch(const std::string& group_id, Wire::Switch watch) {
    Wire news;
    news.set_watch(watch);
    Give(group_id, news);
  }
  // The member of a connection has another id.
  void GiveKept(const std::string& group_id, uint64_t connection, uint64_t member) {
    Wire news;
    auto* const kept = news.add_kept();
    kept->set_connection_id(connection);
    kept->set_member_id(member);
    kept->set_since_ms(77);
    Give(group_id, news);
  }
  void Confirm() {
    PresenceFrame frame;
    frame.set_stream(stream_);
    frame.set_confirmed(received_number_);
    client().OnFrame(frame);
  }
  // A frame of the server is lost.
  void SkipNumber() { ++sent_number_; }
  void GiveUnknown() {
    PresenceFrame frame;
    frame.set_stream(stream_);
    frame.set_unknown(true);
    client().OnFrame(frame);
    sent_number_ = 0;
  }
  // "1 2", or "none".
  std::string View(const std::string& group_id) {
    const PresenceView* const view = client().View(group_id);
    if (view == nullptr) return "none";
    std::string ids;
    for (const auto& [id, member] : *view) absl::StrAppend(&ids, ids.empty() ? "" : " ", id);
    return ids;
  }
  Words Events() { return std::exchange(events_, {}); }

  void Join(const std::string& group_id, uint64_t id) {
    members_[group_id].insert(id);
    client().OnJoin(group_id, id);
  }
  void Leave(const std::string& group_id, uint64_t id, bool lost = false) {
    members_[group_id].erase(id);
    client().OnLeave(group_id, id, lost);
  }

  FakeClock clock_;
  PresenceClientOptions options_;
  bool has_room_ = true;
  size_t info_bytes_ = 0;
  std::map<std::string, std::set<uint64_t>> members_;

 private:
  void SendPublication(absl::string_view) override {}
  void Subscribe(const std::string&) override {}
  void Unsubscribe(const std::string&) override {}
  bool SendControl(absl::string_view bytes) override {
    if (!has_room_) return false;
    PresenceFrame frame;
    EXPECT_TRUE(frame.ParseFromString(std::string(bytes.substr(kControlHeaderBytes))));
    if (frame.stream() != stream_) {
      stream_ = frame.stream();
      sent_.push_back(frame.came_back() ? "open again" : "open");
      EXPECT_EQ(frame.number(), 1u);
    }
    if (frame.number() > 0) received_number_ = frame.number();
    if (frame.ends()) sent_.push_back("end");
    for (const Wire& group : frame.groups()) {
      std::string words = group.group_id();
      if (group.watch() == Wire::ON) words += " on";
      if (group.watch() == Wire::OFF) words += " off";
      if (group.begins()) words += " [";
      for (const uint64_t id : group.lost()) absl::StrAppend(&words, " ?", id);
      for (const uint64_t id : group.left()) absl::StrAppend(&words, " -", id);
      for (const auto& member : group.joined()) {
        absl::StrAppend(&words, " +", member.connection_id());
        if (member.member_id() != 0) {
          absl::StrAppend(&words, "=", member.member_id(), " since ", member.since_ms());
        }
      }
      if (group.ends()) words += " ]";
      sent_.push_back(words);
    }
    return true;
  }

  std::vector<uint64_t> MembersOf(absl::string_view group_id) override {
    const std::set<uint64_t>& ids = members_[std::string(group_id)];
    return {ids.begin(), ids.end()};
  }
  std::optional<PresentMember> FindMember(absl::string_view group_id, uint64_t id) override {
    if (!members_[std::string(group_id)].contains(id)) return std::nullopt;
    return PresentMember{.connection_id = id};
  }
  void OnViewComplete(absl::string_view group_id) override {
    events_.push_back(absl::StrCat(group_id, " complete"));
  }
  void OnMemberJoined(absl::string_view group_id, const PresentMember& member) override {
    events_.push_back(absl::StrCat(group_id, " +", member.connection_id));
  }
  void OnMemberLeft(absl::string_view group_id, const PresentMember& member) override {
    events_.push_back(absl::StrCat(group_id, " -", member.connection_id));
  }
  void OnWatchRefused(absl::string_view group_id, const absl::Status& why) override {
    events_.push_back(absl::StrCat(group_id, " refused ", absl::StatusCodeToString(why.code())));
  }

  std::optional<PresenceClient> client_;
  uint64_t stream_ = 0;
  uint64_t received_number_ = 0;
  uint64_t sent_number_ = 0;
  Words sent_;
  Words events_;
};

TEST_F(PresenceClientTest, SaysNothingToAServerWithoutPresence) {
  client().OnConnected(false);
  client().Watch("g");
  EXPECT_EQ(Flush(), Words{});
}

TEST_F(PresenceClientTest, ReportsAGroupThatSomebodyWatches) {
  Connect();
  Join("g", 1);
  Join("h", 9);
  EXPECT_EQ(Flush(), Words{}) << "nobody watches";
  GiveSwitch("g", Wire::ON);
  EXPECT_EQ(Flush(), Words{"g [ +1 ]"});
  Join("g", 2);
  Leave("g", 1);
  Join("g", 3);
  Leave("g", 2, /*lost=*/true);
  EXPECT_EQ(Flush(), Words{"g ?2 -1 +3"});
  GiveSwitch("g", Wire::OFF);
  Join("g", 4);
  EXPECT_EQ(Flush(), Words{});
}

TEST_F(PresenceClientTest, ChangesOfSomeTimeShareAFrame) {
  options_.report_interval = absl::Milliseconds(10);
  Connect();
  GiveSwitch("g", Wire::ON);
  clock_.Advance(absl::Milliseconds(10));
  EXPECT_TRUE(client().is_due());
  EXPECT_EQ(Flush(), Words{"g [ ]"});
  Join("g", 1);
  EXPECT_FALSE(client().is_due());
  EXPECT_EQ(Flush(), Words{});
  Join("g", 2);
  clock_.Advance(absl::Milliseconds(9));
  EXPECT_EQ(Flush(), Words{});
  client().Watch("h");
  EXPECT_TRUE(client().is_due()) << "a watch does not wait";
  EXPECT_EQ(Flush(), (Words{"h on", "g +1 +2"}));
  Join("g", 3);
  clock_.Advance(absl::Milliseconds(10));
  EXPECT_TRUE(client().is_due());
  EXPECT_EQ(Flush(), Words{"g +3"});
}

TEST_F(PresenceClientTest, AnEmptyListIsAListToo) {
  Connect();
  GiveSwitch("g", Wire::ON);
  EXPECT_EQ(Flush(), Words{"g [ ]"});
}

TEST_F(PresenceClientTest, AMemberThatLeavesAndComesAgainIsReportedInOrder) {
  Connect();
  GiveSwitch("g", Wire::ON);
  Flush();
  Join("g", 1);
  Leave("g", 1);
  Join("g", 1);
  EXPECT_EQ(Flush(), (Words{"g +1", "g -1 +1"}));
}

TEST_F(PresenceClientTest, ALongListGoesInFrames) {
  options_.frame_bytes = 100;
  options_.frames_under_way_max = 2;
  for (uint64_t id = 1; id <= 4; ++id) Join("g", id);
  Connect();
  Confirm();
  GiveSwitch("g", Wire::ON);
  EXPECT_EQ(Flush(), (Words{"g [ +1 +2 +3", "g +4 ]"}));
  Join("g", 5);
  EXPECT_EQ(Flush(), Words{}) << "two frames are without confirmation";
  Confirm();
  EXPECT_EQ(Flush(), Words{"g +5"});
}

TEST_F(PresenceClientTest, ManyWaitingChangesBecomeAList) {
  options_.frames_under_way_max = 1;
  Connect();
  Confirm();
  GiveSwitch("g", Wire::ON);
  EXPECT_EQ(Flush(), Words{"g [ ]"});
  for (int i = 0; i < 1'000; ++i) {
    Join("g", 7);
    Leave("g", 7);
  }
  Join("g", 8);
  Confirm();
  const Words sent = Flush();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].substr(0, 4), "g [ ");
  EXPECT_EQ(sent[0].substr(sent[0].size() - 5), " +8 ]");
}

TEST_F(PresenceClientTest, AViewIsCompleteWithItsTableAndThenChanges) {
  Connect();
  client().Watch("g");
  EXPECT_EQ(Flush(), Words{"g on"});
  EXPECT_EQ(View("g"), "none");
  GiveTable("g", {1, 2});
  EXPECT_EQ(Events(), Words{"g complete"}) << "those that were there do not join";
  EXPECT_EQ(View("g"), "1 2");
  Give("g", {}, {3}, {1});
  EXPECT_EQ(Events(), (Words{"g -1", "g +3"}));
  EXPECT_EQ(View("g"), "2 3");
}

TEST_F(PresenceClientTest, AfterAReconnectOnlyTheDifferenceIsTold) {
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1, 2});
  Events();
  client().OnDisconnected();
  EXPECT_EQ(View("g"), "none") << "it may be out of date";
  client().OnConnected(true);
  EXPECT_EQ(Flush(), (Words{"open again", "g on"}));
}

TEST_F(PresenceClientTest, TheNewTableReplacesTheOldView) {
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1, 2});
  Events();
  Connect();
  GiveTable("g", {2, 3});
  EXPECT_EQ(Events(), (Words{"g +3", "g -1", "g complete"}));
  EXPECT_EQ(View("g"), "2 3");
}

TEST_F(PresenceClientTest, ReportsTheIdThatAMemberHasKept) {
  Connect();
  GiveSwitch("g", Wire::ON);
  Join("g", 2);
  Join("g", 3);
  Flush();
  GiveKept("g", 2, 1);
  Connect();  // to a server that begins again
  GiveSwitch("g", Wire::ON);
  EXPECT_EQ(Flush(), Words{"g [ +2=1 since 77 +3 ]"});
  Leave("g", 2);
  Join("g", 2);
  EXPECT_EQ(Flush(), Words{"g -2 +2"}) << "it is another member now";
}

TEST_F(PresenceClientTest, FindsTheConnectionsOfAMemberByTheIdThatItHasKept) {
  Connect();
  GiveSwitch("g", Wire::ON);
  GiveSwitch("h", Wire::ON);
  for (const uint64_t id : {2, 3, 4}) Join("g", id);
  Join("h", 2);
  Flush();
  GiveKept("g", 2, 1);
  GiveKept("g", 3, 1);
  GiveKept("g", 4, 9);
  GiveKept("h", 2, 8);
  const auto connections = [this](uint64_t member, absl::string_view group) {
    const std::vector<uint64_t> ids = client().ConnectionsOf(member, group);
    return std::set<uint64_t>(ids.begin(), ids.end());
  };
  EXPECT_EQ(connections(1, "g"), (std::set<uint64_t>{2, 3}));
  EXPECT_EQ(connections(1, "h"), std::set<uint64_t>());
  EXPECT_EQ(connections(8, "g"), std::set<uint64_t>());
  EXPECT_EQ(connections(1, ""), (std::set<uint64_t>{2, 3}));
  EXPECT_EQ(connections(8, ""), std::set<uint64_t>{2});
  EXPECT_EQ(connections(2, ""), std::set<uint64_t>()) << "its members have other ids";
  EXPECT_EQ(client().kept_ids(), 4u);
  GiveKept("g", 3, 1);
  EXPECT_EQ(client().kept_ids(), 4u);
  Leave("g", 2);
  EXPECT_EQ(client().kept_ids(), 3u);
  EXPECT_EQ(connections(1, "g"), std::set<uint64_t>{3});
  GiveSwitch("g", Wire::OFF);
  EXPECT_EQ(client().kept_ids(), 1u);
  EXPECT_EQ(connections(1, "g"), std::set<uint64_t>());
}

TEST_F(PresenceClientTest, TheIdOfAConnectionThatHasLeftIsForgotten) {
  Connect();
  GiveSwitch("g", Wire::ON);
  Flush();
  GiveKept("g", 2, 1);
  Join("g", 2);
  EXPECT_EQ(Flush(), Words{"g +2"});
}

TEST_F(PresenceClientTest, WithoutWatchersKeptIdsAreForgotten) {
  Connect();
  GiveSwitch("g", Wire::ON);
  Join("g", 2);
  Flush();
  GiveKept("g", 2, 1);
  GiveSwitch("g", Wire::OFF);
  GiveSwitch("g", Wire::ON);
  EXPECT_EQ(Flush(), Words{"g [ +2 ]"});
}

TEST_F(PresenceClientTest, AStreamThatTheServerDoesNotKnowBeginsAgain) {
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1});
  GiveUnknown();
  EXPECT_EQ(View("g"), "none");
  EXPECT_EQ(Flush(), (Words{"open again", "g on"}));
}

TEST_F(PresenceClientTest, AStreamWithoutAnAnswerBeginsAgain) {
  Connect();
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(Flush(), Words{"open"});
  Confirm();
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(Flush(), Words{});
}

TEST_F(PresenceClientTest, AFrameWithoutRoomLosesNothing) {
  Connect();
  client().Watch("g");
  has_room_ = false;
  EXPECT_EQ(Flush(), Words{});
  has_room_ = true;
  EXPECT_EQ(Flush(), Words{"g on"});
  client().Watch("h");
  EXPECT_EQ(Flush(), Words{"h on"});
}

TEST_F(PresenceClientTest, AnEndedWatchGetsNothing) {
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1});
  Events();
  client().Unwatch("g");
  Give("g", {}, {2});
  EXPECT_EQ(Events(), Words{});
  EXPECT_EQ(View("g"), "none");
  EXPECT_EQ(client().view_bytes(), 0u);
  EXPECT_EQ(Flush(), Words{"g off"});
}

TEST_F(PresenceClientTest, ChangesOfAnEarlierWatchAreNotPartOfTheNextOne) {
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1});
  client().Unwatch("g");
  client().Watch("g");
  Give("g", {}, {2});
  EXPECT_EQ(View("g"), "none");
  GiveTable("g", {3});
  EXPECT_EQ(View("g"), "3");
}

TEST_F(PresenceClientTest, ChangesBeforeTheTableAreNotTold) {
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1});
  Events();
  Connect();
  Give("g", {}, {9});
  EXPECT_EQ(Events(), Words{});
  GiveTable("g", {1});
  EXPECT_EQ(Events(), Words{"g complete"});
}

TEST_F(PresenceClientTest, AHoleInTheNumbersBeginsTheStreamAgain) {
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1});
  SkipNumber();
  Give("g", {}, {2});
  EXPECT_EQ(View("g"), "none");
  EXPECT_EQ(Flush(), (Words{"open again", "g on"}));
}

TEST_F(PresenceClientTest, AFrameOfAnEarlierStreamIsIgnored) {
  Connect();
  client().Watch("g");
  Flush();
  PresenceFrame old;
  old.set_stream(0);
  old.set_number(1);
  auto* const group = old.add_groups();
  group->set_group_id("g");
  group->set_begins(true);
  group->set_ends(true);
  client().OnFrame(old);
  EXPECT_EQ(View("g"), "none");
}

TEST_F(PresenceClientTest, MembersThatHaveLeftTakeNoBytes) {
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1, 2});
  Give("g", {}, {}, {1, 2});
  EXPECT_EQ(client().view_bytes(), 0u);
}

TEST_F(PresenceClientTest, FewChangesOfALargeGroupStayChanges) {
  options_.frames_under_way_max = 1;
  for (uint64_t id = 1'000; id < 2'000; ++id) Join("g", id);
  Connect();
  Confirm();
  GiveSwitch("g", Wire::ON);
  Flush();
  for (int i = 0; i < 750; ++i) {
    Join("g", 7);
    Leave("g", 7);
  }
  Join("g", 8);
  Confirm();
  const Words sent = Flush();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].find('['), std::string::npos) << "a list would be longer";
}

TEST_F(PresenceClientTest, ARefusalOfAnEarlierWatchIsIgnored) {
  Connect();
  client().Watch("g");
  Flush();
  client().Unwatch("g");
  client().Watch("g");
  Wire refusal;
  refusal.set_refusal(Wire::TOO_MANY_MEMBERS);
  Give("g", refusal);
  EXPECT_EQ(Events(), Words{});
  EXPECT_EQ(Flush(), Words{"g on"});
}

TEST_F(PresenceClientTest, TheServersRefusalEndsTheWatch) {
  Connect();
  client().Watch("g");
  Flush();
  Wire refusal;
  refusal.set_refusal(Wire::TOO_MANY_MEMBERS);
  Give("g", refusal);
  EXPECT_EQ(Events(), Words{"g refused RESOURCE_EXHAUSTED"});
  EXPECT_EQ(View("g"), "none");
}

TEST_F(PresenceClientTest, TooManyWatchesAreRefused) {
  options_.watches_max = 1;
  Connect();
  client().Watch("g");
  client().Watch("h");
  EXPECT_EQ(Events(), Words{}) << "not from inside the call";
  EXPECT_EQ(Flush(), Words{"g on"});
  EXPECT_EQ(Events(), Words{"h refused UNAVAILABLE"});
}

TEST_F(PresenceClientTest, TooManyBytesOfViewsEndTheWatch) {
  options_.view_bytes_max = 1'000;
  info_bytes_ = 600;
  Connect();
  client().Watch("g");
  Flush();
  GiveTable("g", {1, 2});
  EXPECT_EQ(Events(), Words{"g refused UNAVAILABLE"});
  EXPECT_EQ(client().view_bytes(), 0u);
}

TEST_F(PresenceClientTest, TheLargestViewGoesFirst) {
  options_.view_bytes_max = 2'000;
  Connect();
  client().Watch("large");
  client().Watch("small");
  Flush();
  GiveTable("large", {1, 2, 3, 4, 5});
  GiveTable("small", {6, 7, 8, 9});
  Events();
  Give("small", {}, {10, 11});
  EXPECT_EQ(Events(), (Words{"small +10", "small +11", "small refused UNAVAILABLE"}));
  EXPECT_EQ(View("large"), "1 2 3 4 5");
  client().Watch("small");
  Flush();
  GiveTable("small", {6});
  Events();
  Give("small", {}, {7, 8, 9});
  EXPECT_EQ(View("small"), "6 7 8 9");
  Give("small", {}, {}, {9});
  Give("large", {}, {12});
  EXPECT_EQ(View("small"), "6 7 8");
  Give("small", {}, {13, 14});
  EXPECT_EQ(View("large"), "none") << "not the one that has grown last";
  EXPECT_EQ(View("small"), "6 7 8 13 14");
  EXPECT_EQ(client().view_bytes(), 1'000u);
}

TEST_F(PresenceClientTest, AReportThatIsSentTakesNoMemory) {
  options_.frames_under_way_max = 100;
  Connect();
  Join("group 7", 1);
  for (int i = 0; i < 50; ++i) GiveSwitch(absl::StrCat("group ", i), Wire::ON);
  EXPECT_EQ(Flush().size(), 50u);
  EXPECT_EQ(client().report_count(), 0u);
  Join("group 8", 2);
  Leave("group 7", 1);
  EXPECT_EQ(client().report_count(), 2u);
  EXPECT_EQ(Flush(), (Words{"group 8 +2", "group 7 -1"}));
  EXPECT_EQ(client().report_count(), 0u);
  GiveSwitch("group 8", Wire::OFF);
  Join("group 8", 3);
  EXPECT_EQ(client().report_count(), 0u) << "nobody watches it";
}

TEST_F(PresenceClientTest, AWatchThatEndsBeforeTheServerKnowsItNeedsNoWord) {
  Connect();
  client().Watch("g");
  Flush();
  client().Unwatch("g");
  for (int i = 0; i < 50; ++i) {
    client().Watch(absl::StrCat("other ", i));
    client().Unwatch(absl::StrCat("other ", i));
    client().Watch("g");
    client().Unwatch("g");
  }
  EXPECT_EQ(client().untold_count(), 1u);
  EXPECT_EQ(Flush(), Words{"g off"});
  client().OnDisconnected();
  client().Watch("g");
  client().Unwatch("g");
  EXPECT_EQ(client().untold_count(), 0u);
}

TEST_F(PresenceClientTest, EndsOfWatchesGoBeforeWatches) {
  Connect();
  client().Watch("z");
  client().Watch("m");
  Flush();
  client().Unwatch("z");
  client().Watch("a");
  EXPECT_EQ(Flush(), (Words{"z off", "a on"})) << "the server has a bound, and takes them in order";
  client().Unwatch("m");
  client().Watch("m");
  client().Unwatch("a");
  EXPECT_EQ(Flush(), (Words{"a off", "m on"}));
}

TEST_F(PresenceClientTest, AListThatSomebodyWaitsForGoesAtOnce) {
  options_.report_interval = absl::Milliseconds(10);
  Connect();
  Confirm();
  GiveSwitch("g", Wire::ON);
  EXPECT_EQ(Flush(), Words{"g [ ]"});
  GiveSwitch("h", Wire::ON);
  EXPECT_EQ(Flush(), Words{"h [ ]"}) << "unlike later changes";
  Join("h", 1);
  EXPECT_EQ(Flush(), Words{});
}

TEST_F(PresenceClientTest, AnEndedWatchMakesRoom) {
  options_.watches_max = 1;
  Connect();
  EXPECT_TRUE(client().HasRoomToWatch());
  client().Watch("g");
  EXPECT_FALSE(client().HasRoomToWatch());
  client().Unwatch("g");
  EXPECT_TRUE(client().HasRoomToWatch());
}

TEST_F(PresenceClientTest, TheEndIsSaid) {
  Connect();
  client().End();
  EXPECT_EQ(Flush(), Words{"end"});
}

}  // namespace
}  // namespace groupcast::service
