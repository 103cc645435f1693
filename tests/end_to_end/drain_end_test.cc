// The end of the drain time: what a worker has read is answered, and the last answers arrive.

#include <csignal>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

void ExpectUnavailable(const Event& event, int id) {
  EXPECT_EQ(event.Text("event"), "error") << event.text();
  EXPECT_EQ(event.Text("code"), "unavailable") << event.text();
  EXPECT_EQ(event.Number("id"), id) << event.text();
}

// The worker cannot carry out any of these commands.
TEST(DrainEndTest, WithoutTheChannelEachCommandThatWasReadIsRefused) {
  Groupcast groupcast(/*workers=*/1, {"--drain_time=1s", "--channel_timeout=60s"});
  TestClient member(groupcast.service.port(), Mode::kV1);
  const Event joined = member.Join("known");
  TestClient since(groupcast.service.port(), Mode::kV1);
  TestClient plain(groupcast.service.port(), Mode::kV1);
  groupcast.channel.Kill();
  since.raw().Write(
      TextFrame(absl::StrFormat(
          R"({"cmd":"add_group","group_id":"known","id":6,"since":{"epoch":"%s","offset":%d}})",
          joined.Text("epoch"), joined.Number("offset") + 5)) +
      TextFrame(R"({"cmd":"send_to_group","group_id":"known","message":1,"id":7})"));
  plain.raw().Write(TextFrame(R"({"cmd":"add_group","group_id":"a","id":1})") +
                    TextFrame(R"({"cmd":"send_to_group","group_id":"a","message":1,"id":2})") +
                    TextFrame(R"({"cmd":"add_group","group_id":"b","id":3})") +
                    TextFrame(R"({"cmd":"send_to_group","group_id":"b","message":1,"id":4})"));
  groupcast.service.process().Signal(SIGTERM);
  for (const int id : {6, 7}) ExpectUnavailable(since.NextEvent(), id);
  for (const int id : {1, 2, 3, 4}) ExpectUnavailable(plain.NextEvent(), id);
  for (TestClient* client : {&since, &plain}) {
    EXPECT_EQ(client->NextEvent().Text("event"), "closing");
    EXPECT_EQ(client->WaitForEnd().close_code, 4000);
  }
  EXPECT_EQ(groupcast.service.process().WaitForEnd(), 0);
}

// The client reads only after the worker has ended. Its kernel has room for few of the bytes, so
// most are still with the worker's kernel then.
TEST(DrainEndTest, TheLastAnswersArriveAfterTheWorkerHasEnded) {
  Groupcast groupcast(/*workers=*/1, {"--drain_time=1s"});
  TestClient client(groupcast.service.port(), Mode::kV1, /*receive_buffer_bytes=*/4096);
  constexpr int kMessages = 4;
  const std::string message(12'000, 'x');
  client.Join("g");
  TestClient neighbour(groupcast.service.port());
  neighbour.Join("g");
  TestClient sender(groupcast.service.port(), Mode::kV1);
  for (int i = 1; i <= kMessages; ++i) {
    sender.Send(absl::StrCat(R"({"cmd":"send_to_group","group_id":"g","message":")", message,
                             R"(","id":)", i, "}"));
    EXPECT_EQ(sender.NextEvent().Number("id"), i);
    // The reply may come first. The worker gives a message to both members at once.
    EXPECT_EQ(neighbour.NextText(), message);
  }
  groupcast.service.process().Signal(SIGTERM);
  EXPECT_EQ(groupcast.service.process().WaitForEnd(), 0);
  const TestClient::End end = client.WaitForEnd();
  ASSERT_EQ(end.texts.size(), kMessages + 1u);
  for (int i = 0; i < kMessages; ++i) EXPECT_EQ(Event(end.texts[i]).Text("message"), message);
  EXPECT_EQ(Event(end.texts.back()).Text("event"), "closing");
  EXPECT_EQ(end.close_code, 4000);
  EXPECT_EQ(end.state, RawClient::State::kClosed);
}

}  // namespace
}  // namespace groupcast::tests
