// Text frames that are no commands, or wrong ones: each is answered with its documented error, and
// the connection goes on.

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/live_server.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

struct BadCommand {
  std::string name;
  std::string text;
  std::string code;
  std::string id;   // JSON; empty: the error must have none
  std::string cmd;  // empty: the error must have none
};

std::ostream& operator<<(std::ostream& out, const BadCommand& bad) { return out << bad.name; }

class BadCommandTest : public ::testing::TestWithParam<BadCommand> {};

TEST_P(BadCommandTest, IsAnsweredWithItsError) {
  const BadCommand& bad = GetParam();
  for (const Mode mode : {Mode::kBare, Mode::kV1}) {
    TestClient client(LiveServer::port(), mode);
    client.Send(bad.text);
    const Event error = client.NextEvent();
    std::string beginning = "{\"event\":\"error\"";
    if (!bad.id.empty()) absl::StrAppend(&beginning, ",\"id\":", bad.id);
    if (!bad.cmd.empty()) absl::StrAppend(&beginning, ",\"cmd\":\"", bad.cmd, "\"");
    absl::StrAppend(&beginning, ",\"code\":\"", bad.code, "\",\"message\":\"");
    EXPECT_EQ(error.text().substr(0, beginning.size()), beginning) << error.text();
    EXPECT_NE(error.Text("message"), "");
    EXPECT_FALSE(error.fields().at("retry").as_bool());
    EXPECT_EQ(error.fields().size(), 4u + (bad.id.empty() ? 0 : 1) + (bad.cmd.empty() ? 0 : 1))
        << error.text();
    EXPECT_TRUE(client.IsQuiet());
  }
}

#define BAD_COMMANDS(kind, ...)          \
  INSTANTIATE_TEST_SUITE_P(              \
      kind, BadCommandTest, __VA_ARGS__, \
      [](const ::testing::TestParamInfo<BadCommand>& info) { return info.param.name; })

BadCommand BadJson(const std::string& name, absl::string_view text) {
  return {name, std::string(text), "bad_json", "", ""};
}

// A send whose message is `message`.
BadCommand BadMessage(const std::string& name, absl::string_view message) {
  return BadJson(name, absl::StrCat(R"({"cmd":"send_to_group","group_id":"g","id":1,"message":)",
                                    message, "}"));
}

std::string Nested(size_t depth, absl::string_view open = "[", absl::string_view close = "]") {
  std::string text;
  for (size_t i = 0; i < depth; ++i) absl::StrAppend(&text, open);
  for (size_t i = 0; i < depth; ++i) absl::StrAppend(&text, close);
  return text;
}

BAD_COMMANDS(
    NotJson,
    ::testing::Values(
        BadJson("Empty", ""), BadJson("WhiteSpace", " \t\r\n"), BadJson("Words", "hello"),
        BadJson("Nul", absl::string_view("\0", 1)),
        BadJson("NulAfterTheObject", absl::string_view("{\"cmd\":\"ping\"}\0", 15)),
        BadJson("NulInAString", absl::string_view("{\"cmd\":\"pi\0ng\"}", 15)),
        BadJson("NulBetweenTokens", absl::string_view("{\0\"cmd\":\"ping\"}", 15)),
        BadJson("NulsOnly", std::string(1'000, '\0')), BadJson("Unfinished", "{\"cmd\":\"ping\""),
        BadJson("OnlyABrace", "{"), BadJson("UnfinishedString", "{\"cmd\":\"ping"),
        BadJson("UnfinishedEscape", "{\"cmd\":\"ping\\"), BadJson("TwoObjects", "{}{}"),
        BadJson("SomethingFollows", "{\"cmd\":\"ping\"} x"),
        BadJson("CommaAtTheEnd", "{\"cmd\":\"ping\",}"), BadJson("CommaOnly", "{,}"),
        BadJson("NoColon", "{\"cmd\" \"ping\"}"), BadJson("NoComma", "{\"cmd\":\"ping\" \"id\":1}"),
        BadJson("NameWithoutQuotes", "{cmd:\"ping\"}"), BadJson("SingleQuotes", "{'cmd':'ping'}"),
        BadJson("NumberAsName", "{1:2}"), BadJson("Comment", "{\"cmd\":\"ping\"/* */}"),
        BadJson("ByteOrderMark", "\xef\xbb\xbf{\"cmd\":\"ping\"}"),
        BadJson("MegabyteOfLetters", std::string(1 << 20, 'x')),
        BadJson("MegabyteOfQuotes", std::string(1 << 20, '"')),
        BadJson("MegabyteOfBackslashes", absl::StrCat("{\"", std::string((1 << 20) - 2, '\\'))),
        BadJson("MegabyteOfDigits", std::string(1 << 20, '9')),
        BadJson("MegabyteOfBraces", std::string(1 << 20, '{')),
        BadJson("MegabyteOfBrackets", std::string(1 << 20, '['))));

BAD_COMMANDS(NotAnObject, ::testing::Values(BadJson("Array", "[]"),
                                            BadJson("ArrayOfCommands", "[{\"cmd\":\"ping\"}]"),
                                            BadJson("String", "\"ping\""), BadJson("Number", "7"),
                                            BadJson("Null", "null"), BadJson("True", "true")));

BAD_COMMANDS(
    BadValues,
    ::testing::Values(
        BadMessage("Nothing", ""), BadMessage("Word", "hello"),
        BadMessage("TrueInUpperCase", "TRUE"), BadMessage("HalfALiteral", "nul"),
        BadMessage("LeadingZero", "01"), BadMessage("PlusSign", "+1"), BadMessage("MinusOnly", "-"),
        BadMessage("PointAtTheEnd", "1."), BadMessage("PointAtTheBeginning", ".5"),
        BadMessage("EmptyExponent", "1e"), BadMessage("SignedEmptyExponent", "1e+"),
        BadMessage("Hexadecimal", "0x10"), BadMessage("NotANumber", "NaN"),
        BadMessage("Infinity", "-Infinity"), BadMessage("UnknownEscape", "\"\\x41\""),
        BadMessage("ShortUnicodeEscape", "\"\\u041\""),
        BadMessage("UnicodeEscapeNotHex", "\"\\u00g1\""),
        BadMessage("LineBreakInAString", "\"a\nb\""), BadMessage("TabInAString", "\"a\tb\""),
        BadMessage("ControlCharacter", "\"\x01\""), BadMessage("MismatchedBrackets", "[1}"),
        BadMessage("CommaAtTheEndOfAnArray", "[1,]"), BadMessage("NoCommaInAnArray", "[1 2]"),
        BadMessage("ObjectWithoutValue", "{\"a\"}"), BadMessage("ObjectWithoutName", "{:1}"),
        BadMessage("LoneHighSurrogate", "\"\\ud83d\""),
        BadMessage("LoneLowSurrogate", "\"\\ude00\""),
        BadMessage("HighSurrogateBeforeText", "\"\\ud83dx\""),
        BadMessage("HighSurrogateTwice", "\"\\ud83d\\ud83d\""),
        BadMessage("SurrogatesInTheWrongOrder", "\"\\ude00\\ud83d\""),
        BadMessage("LoneSurrogateDeepInside", "[{\"a\":[\"\\udfff\"]}]"),
        BadMessage("LoneSurrogateInAName", "{\"\\ud800\":1}")));

BAD_COMMANDS(TooDeep,
             ::testing::Values(BadMessage("ArraysOneLevelTooDeep", Nested(64)),
                               BadMessage("ObjectsOneLevelTooDeep",
                                          absl::StrCat(Nested(64, "{\"a\":", "").substr(0, 5 * 64),
                                                       "1", std::string(64, '}'))),
                               BadMessage("Brackets100000", Nested(100'000)),
                               BadMessage("Unfinished100000", std::string(100'000, '[')),
                               BadJson("Brackets100000Alone", Nested(100'000)),
                               BadJson("Unfinished100000Alone", std::string(100'000, '[')),
                               BadJson("InAnUnknownField",
                                       absl::StrCat("{\"x\":", Nested(64), ",\"cmd\":\"ping\"}"))));

BAD_COMMANDS(
    BadIds,
    ::testing::Values(BadJson("IdOfADecimal", R"({"cmd":"ping","id":1.5})"),
                      BadJson("IdWithExponent", R"({"cmd":"ping","id":1e3})"),
                      BadJson("IdNull", R"({"cmd":"ping","id":null})"),
                      BadJson("IdTrue", R"({"cmd":"ping","id":true})"),
                      BadJson("IdArray", R"({"cmd":"ping","id":[1]})"),
                      BadJson("IdObject", R"({"cmd":"ping","id":{}})"),
                      BadJson("IdOf65Characters", absl::StrCat("{\"cmd\":\"ping\",\"id\":\"",
                                                               std::string(65, 'i'), "\"}")),
                      BadJson("IdOf65Digits",
                              absl::StrCat("{\"cmd\":\"ping\",\"id\":", std::string(65, '1'), "}")),
                      BadJson("IdOf10Kilobytes", absl::StrCat("{\"cmd\":\"ping\",\"id\":\"",
                                                              std::string(10'240, 'i'), "\"}")),
                      BadJson("IdOf33ArabicLetters",
                              R"({"cmd":"ping","id":"رررررررررررررررررررررررررررررررررر"})")));

BAD_COMMANDS(
    BadCommandNames,
    ::testing::Values(
        BadCommand{"Missing", "{}", "unknown_command", "", ""},
        BadCommand{"MissingWithId", R"({"id":7})", "unknown_command", "7", ""},
        BadCommand{"Number", R"({"cmd":1,"id":7})", "unknown_command", "7", ""},
        BadCommand{"Null", R"({"cmd":null})", "unknown_command", "", ""},
        BadCommand{"Array", R"({"cmd":["ping"]})", "unknown_command", "", ""},
        BadCommand{"Empty", R"({"cmd":"","id":"x"})", "unknown_command", "\"x\"", ""},
        BadCommand{"Unknown", R"({"cmd":"fly","id":7})", "unknown_command", "7", ""},
        BadCommand{"OfAnotherCase", R"({"cmd":"Ping","id":7})", "unknown_command", "7", ""},
        BadCommand{"WithASpace", R"({"cmd":"ping ","id":7})", "unknown_command", "7", ""},
        BadCommand{"OnlyBeginsRight", R"({"cmd":"ping\u0000","id":7})", "unknown_command", "7", ""},
        BadCommand{"Long", absl::StrCat("{\"cmd\":\"", std::string(100'000, 'c'), "\"}"),
                   "unknown_command", "", ""}));

std::vector<BadCommand> GroupIdCases() {
  std::vector<BadCommand> cases;
  const std::vector<std::pair<std::string, std::string>> group_ids = {
      {"Missing", ""},
      {"Empty", R"("group_id":"",)"},
      {"Null", R"("group_id":null,)"},
      {"False", R"("group_id":false,)"},
      {"Decimal", R"("group_id":1.5,)"},
      {"Exponent", R"("group_id":1e3,)"},
      {"Array", R"("group_id":["a"],)"},
      {"Object", R"("group_id":{"a":1},)"},
      {"NulEscaped", R"("group_id":"a\u0000",)"},
      {"LineBreakEscaped", R"("group_id":"a\nb",)"},
      {"Delete", "\"group_id\":\"\x7f\","},
      {"ControlCharacterOfTwoBytes", "\"group_id\":\"\xc2\x85\","},
      {"Of129Bytes", absl::StrCat("\"group_id\":\"", std::string(129, 'g'), "\",")},
      {"Of129Digits", absl::StrCat("\"group_id\":", std::string(129, '1'), ",")},
      {"Of65ArabicLetters",
       R"("group_id":"ررررررررررررررررررررررررررررررررررررررررررررررررررررررررررررررررر",)"},
      {"Of10Kilobytes", absl::StrCat("\"group_id\":\"", std::string(10'240, 'g'), "\",")},
      {"OfAMegabyte", absl::StrCat("\"group_id\":\"", std::string(1'000'000, 'g'), "\",")},
  };
  for (const std::string cmd : {"add_group", "leave_group", "send_to_group"}) {
    for (const auto& [name, field] : group_ids) {
      cases.push_back({absl::StrCat(name, "In_", cmd),
                       absl::StrCat("{\"cmd\":\"", cmd, "\",", field, "\"message\":1,\"id\":7}"),
                       "group_id_invalid", "7", cmd});
    }
  }
  return cases;
}

BAD_COMMANDS(BadGroupIds, ::testing::ValuesIn(GroupIdCases()));

BadCommand BadSend(const std::string& name, absl::string_view fields, const std::string& code) {
  return {name, absl::StrCat("{\"cmd\":\"send_to_group\",", fields, ",\"id\":7}"), code, "7",
          "send_to_group"};
}

BAD_COMMANDS(
    BadSends,
    ::testing::Values(
        BadSend("NoMessage", R"("group_id":"g")", "message_missing"),
        BadSend("MessageOverTheLimit",
                absl::StrCat("\"group_id\":\"g\",\"message\":\"", std::string(65'537, 'm'), "\""),
                "message_too_large"),
        BadSend("JsonMessageOverTheLimit",
                absl::StrCat("\"group_id\":\"g\",\"message\":[\"", std::string(65'536, 'm'), "\"]"),
                "message_too_large"),
        BadSend("GroupIdsNoArray", R"("group_ids":"g","message":1)", "group_id_invalid"),
        BadSend("GroupIdsObject", R"("group_ids":{"g":1},"message":1)", "group_id_invalid"),
        BadSend("GroupIdsNull", R"("group_ids":null,"message":1)", "group_id_invalid"),
        BadSend("GroupIdsEmpty", R"("group_ids":[],"message":1)", "group_id_invalid"),
        BadSend("GroupIdAndGroupIds", R"("group_id":"g","group_ids":["g"],"message":1)",
                "group_id_invalid"),
        BadSend("GroupIdsWithoutMessage", R"("group_ids":["g"])", "message_missing"),
        BadSend("GroupIds129",
                absl::StrCat(
                    "\"group_ids\":[1",
                    [] {
                      std::string more;
                      for (int i = 0; i < 128; ++i) more += ",1";
                      return more;
                    }(),
                    "],\"message\":1"),
                "too_many_groups")));

// The deepest that brackets may nest: 63 levels within the command, which is one itself.
TEST(DeepMessageTest, SixtyFourLevelsAreForwarded) {
  TestClient client(LiveServer::port());
  client.Join("deep");
  client.Send(SendToGroup("\"deep\"", Nested(63)));
  EXPECT_EQ(client.NextText(), Nested(63));
}

// One after the other on one connection, as from a client that has lost its way, with good commands
// in between.
TEST(ManyBadCommandsTest, EachIsAnsweredInTurn) {
  TestClient client(LiveServer::port(), Mode::kV1);
  std::string bytes;
  for (int i = 0; i < 1'000; ++i) bytes += TextFrame("{") + TextFrame(Ping(absl::StrCat(i)));
  client.raw().Write(bytes);
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(client.NextEvent().Text("code"), "bad_json");
    EXPECT_EQ(client.NextEvent().Number("id"), i);
  }
}

}  // namespace
}  // namespace groupcast::tests
