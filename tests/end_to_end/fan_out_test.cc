// One group over several workers: every member gets every message once, all in the same order, and
// nobody else does.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/crowd.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

constexpr int kWorkers = 4;
constexpr int kMembers = 64;
constexpr int kSenders = 8;
constexpr int kMessages = 1'000;

// Joins all at once, so that they run side by side.
void JoinAll(std::vector<TestClient>* clients, absl::string_view group) {
  for (TestClient& client : *clients) client.Send(AddGroup(group, "1"));
  for (TestClient& client : *clients) EXPECT_EQ(client.NextEvent().name(), "reply");
}

// The texts of the next messages, of which each must name its predecessor.
std::vector<std::string> ReadChain(TestClient* client, int count) {
  std::vector<std::string> texts;
  int64_t previous = 0;
  for (int i = 0; i < count; ++i) {
    const Event event = client->NextEvent();
    EXPECT_EQ(event.name(), "message");
    EXPECT_EQ(event.Text("group_id"), "123");
    EXPECT_GT(event.Number("offset"), event.Number("previous"));
    EXPECT_TRUE(i == 0 || event.Number("previous") == previous) << event.text();
    previous = event.Number("offset");
    texts.push_back(event.Text("message"));
  }
  return texts;
}

TEST(FanOutTest, EachMessageReachesEachMemberOnceAndInTheSameOrder) {
  Groupcast groupcast(kWorkers);
  std::vector<TestClient> bare = ConnectCrowd(&groupcast.service, kMembers / 2);
  std::vector<TestClient> v1;
  for (int i = 0; i < kMembers / 2; ++i) v1.emplace_back(groupcast.service.port(), Mode::kV1);
  // 123 and "123" are one group. "12" and "1234" are others, though one begins as the other.
  JoinAll(&bare, "123");
  JoinAll(&v1, "\"123\"");
  std::vector<TestClient> strangers;
  for (const char* group : {"12", "1234", "1", "\"123 \"", "\"fence\""}) {
    for (int i = 0; i < kWorkers; ++i) {
      strangers.emplace_back(groupcast.service.port());
      strangers.back().Send(AddGroup(group, "1"));
      strangers.back().Send(AddGroup("\"fence\"", "2"));
      EXPECT_EQ(strangers.back().NextEvent().name(), "reply");
      EXPECT_EQ(strangers.back().NextEvent().name(), "reply");
    }
  }

  std::vector<std::string> sent;
  for (int i = 0; i < kMessages; ++i) {
    sent.push_back(absl::StrCat(i % kSenders, " sends ", i));
    (i % 2 == 0 ? bare : v1)[i % kSenders].Send(
        SendToGroup(i % 3 == 0 ? "123" : "\"123\"", Quoted(sent.back())));
  }

  const std::vector<std::string> order = ReadChain(&v1[0], kMessages);
  for (size_t i = 1; i < v1.size(); ++i)
    ASSERT_EQ(ReadChain(&v1[i], kMessages), order) << "v1 member " << i;
  for (size_t i = 0; i < bare.size(); ++i) {
    for (const std::string& text : order)
      ASSERT_EQ(bare[i].NextText(), text) << "bare member " << i;
  }
  // Each sender's messages are in the order it sent them, and all are there.
  for (int sender = 0; sender < kSenders; ++sender) {
    const auto of_sender = [sender](const std::vector<std::string>& texts) {
      std::vector<std::string> its;
      std::copy_if(texts.begin(), texts.end(), std::back_inserter(its),
                   [&](const std::string& text) { return text.front() == '0' + sender; });
      return its;
    };
    EXPECT_EQ(of_sender(order), of_sender(sent));
  }
  // A worker gets messages in the channel's order: had a stranger been sent anything, it would have
  // come before this.
  strangers[0].Send(SendToGroup("\"fence\"", "\"nothing before\""));
  for (TestClient& stranger : strangers) EXPECT_EQ(stranger.NextText(), "nothing before");
  for (TestClient& member : bare) EXPECT_TRUE(member.IsQuiet());
  for (TestClient& member : v1) EXPECT_TRUE(member.IsQuiet());
}

void WaitForEmptyTables(WebSocketService* service) {
  WaitUntil("the group tables are empty", [&] {
    const std::vector<WebSocketService::WorkerRow> rows = service->Table();
    return rows.size() == kWorkers && std::all_of(rows.begin(), rows.end(), [](const auto& row) {
             return row.connections == 0 && row.groups == 0 && row.memberships == 0;
           });
  });
}

TEST(FanOutTest, ClosedConnectionsLeaveNoTraceInTheGroupTables) {
  Groupcast groupcast(kWorkers);
  std::vector<TestClient> clients = ConnectCrowd(&groupcast.service, kMembers);
  JoinAll(&clients, "\"everybody\"");
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i].Join("half " + std::to_string(i / 2));
    clients[i].Join("own " + std::to_string(i));
  }
  WaitUntil("the workers count the memberships", [&] {
    int64_t memberships = 0;
    for (const auto& row : groupcast.service.Table()) memberships += row.memberships;
    return memberships == 3 * kMembers;
  });
  // Every way to go: politely, in the middle of a join, in the middle of a frame, and without a
  // word.
  for (size_t i = 0; i < clients.size(); ++i) {
    if (i % 4 == 0) {
      clients[i].raw().Write(CloseFrame(1000));
      EXPECT_EQ(clients[i].WaitForEnd().close_code, 1000);
    }
    if (i % 4 == 1) clients[i].Send(AddGroup(absl::StrCat("\"late ", i, "\"")));
    if (i % 4 == 2) clients[i].raw().Write(TextFrame(AddGroup("\"cut\"")).substr(0, 10));
    clients[i].raw().Close();
  }
  WaitForEmptyTables(&groupcast.service);
}

TEST(FanOutTest, LeavingIsCompleteToo) {
  Groupcast groupcast(kWorkers);
  std::vector<TestClient> clients = ConnectCrowd(&groupcast.service, kMembers);
  JoinAll(&clients, "\"everybody\"");
  JoinAll(&clients, "\"everybody else\"");
  for (TestClient& client : clients) {
    client.Send(LeaveGroup("\"everybody\"", "1"));
    client.Send(LeaveGroup("\"everybody else\"", "2"));
    EXPECT_EQ(client.NextEvent().name(), "reply");
    EXPECT_EQ(client.NextEvent().name(), "reply");
  }
  WaitUntil("the group tables are empty", [&] {
    const std::vector<WebSocketService::WorkerRow> rows = groupcast.service.Table();
    return std::all_of(rows.begin(), rows.end(),
                       [](const auto& row) { return row.groups == 0 && row.memberships == 0; });
  });
}

}  // namespace
}  // namespace groupcast::tests
