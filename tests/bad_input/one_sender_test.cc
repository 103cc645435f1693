// One sender fills what the channel server keeps. Other groups do not lose their history.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

constexpr int kGroups = 128;
constexpr size_t kMessageBytes = 60'000;
constexpr char kRetained[] = "--retained_bytes=20000000";

class OneSenderTest : public ::testing::Test {
 protected:
  // Sends, and waits until the sender has the answer.
  static void Send(TestClient* sender, const std::string& groups, const std::string& message) {
    sender->Send(absl::StrCat(R"({"cmd":"send_to_group",)", groups, R"(,"message":)",
                              Quoted(message), R"(,"id":1})"));
    const Event reply = sender->NextEvent();
    EXPECT_EQ(reply.name(), "reply") << reply.text().substr(0, 300);
    EXPECT_EQ(reply.text().find("\"code\""), std::string::npos) << reply.text();
  }
  int64_t OffsetOf(const std::string& group) {
    TestClient client(service_.port(), Mode::kV1);
    const Event reply = client.Join(group);
    epoch_ = reply.Text("epoch");
    return reply.Number("offset");
  }
  // A client of another worker, which knows nothing of the messages yet, gets them all.
  void ExpectRecovers(const std::string& group, int64_t since,
                      const std::vector<std::string>& messages) {
    const WebSocketService other(channel_, /*workers=*/1);
    TestClient client(other.port(), Mode::kV1);
    const Event reply = client.JoinSince(group, epoch_, since);
    ASSERT_TRUE(reply.Bool("recovered")) << group << ": " << reply.text();
    for (const std::string& message : messages) {
      ASSERT_EQ(client.NextEvent().Text("message"), message);
    }
  }

  ChannelServer channel_{{kRetained}};
  WebSocketService service_{channel_, /*workers=*/1};
  TestClient sender_{service_.port(), Mode::kV1};
  std::string epoch_;
};

// 20 sends of 60 KB to 128 groups are 154 MB as frames, and 1.2 MB as messages.
TEST_F(OneSenderTest, WhoSendsToManyGroupsTakesTheRoomOfOneMessage) {
  const int64_t quiet = OffsetOf("quiet");
  const int64_t last = OffsetOf("group 127");
  const std::vector<std::string> honest = {"one", "two", "three"};
  for (const std::string& message : honest) Send(&sender_, R"("group_id":"quiet")", message);
  std::vector<std::string> ids;
  for (int i = 0; i < kGroups; ++i) ids.push_back(Quoted(absl::StrCat("group ", i)));
  const std::string groups = absl::StrCat(R"("group_ids":[)", absl::StrJoin(ids, ","), "]");
  std::vector<std::string> sent;
  for (int i = 0; i < 20; ++i) {
    sent.push_back(absl::StrCat(i, std::string(kMessageBytes, 'x')));
    Send(&sender_, groups, sent.back());
  }
  ExpectRecovers("quiet", quiet, honest);
  ExpectRecovers("group 127", last, sent);
}

TEST_F(OneSenderTest, WhoSendsToOneGroupPushesOutItsOwnMessages) {
  const int64_t quiet = OffsetOf("quiet");
  const std::vector<std::string> honest = {"one", "two", "three"};
  for (const std::string& message : honest) Send(&sender_, R"("group_id":"quiet")", message);
  for (int i = 0; i < 500; ++i) {
    Send(&sender_, R"("group_id":"loud")", absl::StrCat(i, std::string(kMessageBytes, 'x')));
  }
  ExpectRecovers("quiet", quiet, honest);
}

}  // namespace
}  // namespace groupcast::tests
