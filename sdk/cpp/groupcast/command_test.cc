#include "groupcast/command.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/str_cat.h"

namespace groupcast {
namespace {

using absl::StatusCode;

TEST(CommandTest, FramesAreAsSpecified) {
  EXPECT_EQ(AddGroupFrame("123", {}, false, CommandId{7}),
            R"({"cmd":"add_group","group_id":"123","id":7})");
  EXPECT_EQ(AddGroupFrame("123", {Position{"5f0c2ab3d1e94477", 41}}, false, CommandId{7}),
            R"({"cmd":"add_group","group_id":"123",)"
            R"("since":{"epoch":"5f0c2ab3d1e94477","offset":41},"id":7})");
  EXPECT_EQ(AddGroupFrame("123", {std::nullopt, 20}, false, CommandId{7}),
            R"({"cmd":"add_group","group_id":"123","history":20,"id":7})");
  EXPECT_EQ(LeaveGroupFrame("123", CommandId{7}),
            R"({"cmd":"leave_group","group_id":"123","id":7})");
  EXPECT_EQ(SendToGroupFrame("123", R"({"n":0.1})", {}, {"k-", CommandId{8}}),
            R"({"cmd":"send_to_group","group_id":"123","message":{"n":0.1},"key":"k-8","id":8})");
  EXPECT_EQ(SendToGroupFrame("123", "1", {/*exclude_self=*/true}, {"k-", CommandId{8}}),
            R"({"cmd":"send_to_group","group_id":"123","message":1,"exclude_self":true,)"
            R"("key":"k-8","id":8})");
  EXPECT_EQ(GroupHistoryFrame("123", {}, CommandId{9}),
            R"({"cmd":"group_history","group_id":"123","limit":100,"id":9})");
  EXPECT_EQ(GroupHistoryFrame("123", {Position{"5f0c2ab3d1e94477", 41}, 5}, CommandId{9}),
            R"({"cmd":"group_history","group_id":"123",)"
            R"("since":{"epoch":"5f0c2ab3d1e94477","offset":41},"limit":5,"id":9})");
}

TEST(CommandTest, GroupIdsAreEscaped) {
  EXPECT_EQ(LeaveGroupFrame("a\"b\\c", CommandId{7}),
            R"({"cmd":"leave_group","group_id":"a\"b\\c","id":7})");
}

// Whatever the text is, a JSON parser gets it back.
TEST(CommandTest, TextSurvivesEncoding) {
  std::string all_ascii;
  for (int c = 0; c < 128; ++c) all_ascii.push_back(static_cast<char>(c));
  for (const std::string& text : {std::string(), all_ascii, std::string("هذه هي الرسالة"),
                                  std::string("😀\u2028\"\\"), std::string("\xF4\x8F\xBF\xBF")}) {
    const absl::StatusOr<std::string> json = EncodeText(text);
    ASSERT_TRUE(json.ok()) << json.status();
    const boost::json::value value = boost::json::parse(*json);
    EXPECT_EQ(std::string(value.as_string()), text);
    for (unsigned char c : *json) EXPECT_GE(c, 0x20);
  }
}

TEST(CommandTest, TextMustBeUtf8) {
  for (const char* text :
       {"\xFF", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a\x80"}) {
    EXPECT_EQ(EncodeText(text).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(CommandTest, JsonMustBeOneValue) {
  for (const char* json :
       {"null", "1", "12345678901234567890123", "\"x\"", " [1, {\"a\": 0.1}] "}) {
    EXPECT_TRUE(CheckJson(json).ok()) << json;
  }
  for (const char* json :
       {"", "{", "1 2", "nul", "{'a':1}", "[1,]", "\"\\ud800\"", "\"\xFF\"", "NaN", "1}"}) {
    EXPECT_EQ(CheckJson(json).code(), StatusCode::kInvalidArgument) << json;
  }
}

TEST(CommandTest, JsonMayNestAsTheServerAllows) {
  const auto nested = [](int depth) {
    return absl::StrCat(std::string(depth, '['), std::string(depth, ']'));
  };
  EXPECT_TRUE(CheckJson(nested(63)).ok());
  EXPECT_EQ(CheckJson(nested(64)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckJson(nested(100000)).code(), StatusCode::kInvalidArgument);
}

TEST(CommandTest, GroupIdsAreChecked) {
  for (const std::string& id : {std::string("1"), std::string(128, 'x'), std::string("é"),
                                std::string("\u00A0"), std::string("غرفة")}) {
    EXPECT_TRUE(CheckGroupId(id).ok()) << id;
  }
  for (const std::string& id :
       {std::string(), std::string(129, 'x'), std::string(1, '\0'), std::string("a\nb"),
        std::string("\x7F"), std::string("\u0080"), std::string("\u009F"), std::string("\xFF")}) {
    EXPECT_EQ(CheckGroupId(id).code(), StatusCode::kInvalidArgument) << id;
  }
}

TEST(CommandTest, PositionsAreChecked) {
  EXPECT_TRUE(CheckPosition({"5f0c2ab3d1e94477", 0}).ok());
  EXPECT_TRUE(CheckPosition({"5f0c2ab3d1e94477", (uint64_t{1} << 53) - 1}).ok());
  EXPECT_EQ(CheckPosition({"5f0c2ab3d1e94477", uint64_t{1} << 53}).code(),
            StatusCode::kInvalidArgument);
  for (const char* epoch : {"", "5f0c2ab3d1e9447", "5f0c2ab3d1e944770", "5f0c2ab3d1e9447g"}) {
    EXPECT_EQ(CheckPosition({epoch, 1}).code(), StatusCode::kInvalidArgument) << epoch;
  }
}

TEST(CommandTest, SessionIdsAreChecked) {
  for (const std::string& id : {std::string("a"), std::string("AZaz09_-"), std::string(64, 'x')}) {
    EXPECT_TRUE(CheckSessionId(id).ok()) << id;
  }
  for (const std::string& id : {std::string(), std::string(65, 'x'), std::string("a b"),
                                std::string("a&b"), std::string("é"), std::string(1, '\0')}) {
    EXPECT_EQ(CheckSessionId(id).code(), StatusCode::kInvalidArgument) << id;
  }
}

TEST(CommandTest, MembersAreAskedForWithWhatIsChosen) {
  EXPECT_EQ(GroupMembersFrame("g", {}, CommandId{7}),
            R"({"cmd":"group_members","group_id":"g","limit":100,"id":7})");
  EXPECT_EQ(GroupMembersFrame("g", {.limit = 1, .after = "c\""}, CommandId{7}),
            R"({"cmd":"group_members","group_id":"g","limit":1,"after":"c\"","id":7})");
  EXPECT_EQ(GroupMembersFrame("g", {.count_only = true}, CommandId{7}),
            R"({"cmd":"group_members","group_id":"g","count_only":true,"id":7})");
  EXPECT_EQ(AddGroupFrame("g", {}, true, CommandId{7}),
            R"({"cmd":"add_group","group_id":"g","presence":true,"id":7})");
}

TEST(CommandTest, PingAndAuthenticate) {
  EXPECT_EQ(PingFrame(CommandId{7}), R"({"cmd":"ping","id":7})");
  EXPECT_EQ(AuthenticateFrame("a.b.c", CommandId{7}),
            R"({"cmd":"authenticate","token":"a.b.c","id":7})");
}

// It stands in a header, where a comma or a line end would begin something else.
TEST(CommandTest, ATokenHasNoCharacterThatSeparates) {
  EXPECT_EQ(CheckToken(""), absl::OkStatus());
  EXPECT_EQ(CheckToken("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi-_.c2ln"), absl::OkStatus());
  EXPECT_EQ(CheckToken(std::string(8192, 'a')), absl::OkStatus());
  EXPECT_EQ(CheckToken(std::string(8193, 'a')).code(), absl::StatusCode::kInvalidArgument);
  for (const char* token : {"a b", "a,b", "a\r\nb", "a\"b", "h\xC3\xA9"}) {
    EXPECT_EQ(CheckToken(token).code(), absl::StatusCode::kInvalidArgument) << token;
  }
}

}  // namespace
}  // namespace groupcast
