#include "tools/groupcast/message_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/groupcast/position_text.h"

namespace groupcast::cli {
namespace {

using testing::HasSubstr;

Message Example() {
  Message message;
  message.group_id = "a\"b";
  message.json = "\"hi \\n\"";
  message.text = "hi \n";
  message.offset = 42;
  message.previous = 40;
  message.epoch = "5f0c2ab3d1e94477";
  message.sent_at = absl::FromUnixMillis(1792742400123);
  return message;
}

TEST(MessageTextTest, ALineHasTheTextOfAStringAndTheJsonOfOtherValues) {
  Message message = Example();
  EXPECT_EQ(MessageLine(message), "hi \n\n");
  message.text.reset();
  message.json = "{\"n\":0.10}";
  EXPECT_EQ(MessageLine(message), "{\"n\":0.10}\n");
}

TEST(MessageTextTest, JsonIsOneLineWithThePosition) {
  EXPECT_EQ(MessageJson(Example()),
            R"({"group_id":"a\"b","message":"hi \n","offset":42,"previous":40,)"
            R"("epoch":"5f0c2ab3d1e94477","sent_at":1792742400123,)"
            R"("position":"5f0c2ab3d1e94477:42"})"
            "\n");
}

TEST(MessageTextTest, JsonNamesTheSenderIfTheServerDoes) {
  Message message = Example();
  message.from = Sender{"c4f1e2a90b7d3356", "alice"};
  EXPECT_THAT(MessageJson(message),
              HasSubstr(R"(,"from":{"connection_id":"c4f1e2a90b7d3356","user":"alice"},)"));
  message.from->user.clear();
  EXPECT_THAT(MessageJson(message), HasSubstr(R"(,"from":{"connection_id":"c4f1e2a90b7d3356"},)"));
}

TEST(PositionTextTest, APositionIsReadBack) {
  const Position position{"5f0c2ab3d1e94477", 42};
  EXPECT_EQ(*ParsePosition(PositionText(position)), position);
}

TEST(PositionTextTest, OtherTextIsRefused) {
  for (const char* text :
       {"", "42", ":42", "e:", "e:-1", "e:+1", "e: 1", "e:1x", "e:99999999999999999999"}) {
    const auto position = ParsePosition(text);
    EXPECT_EQ(position.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(ParsePosition("x").status().message(),
            "\"x\" is no position; it has the form EPOCH:OFFSET, such as 5f0c2ab3d1e94477:42");
}

}  // namespace
}  // namespace groupcast::cli
