#include "services/protocol/command.h"

#include <string>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr CommandLimits kLimits{.message_bytes_max = 20, .group_ids_max = 3};

Command Parse(const std::string& text) {
  std::variant<Command, CommandError> result = ParseCommand(text, kLimits);
  if (const auto* error = std::get_if<CommandError>(&result)) {
    ADD_FAILURE() << text << ": " << error->message;
    return {};
  }
  return std::get<Command>(std::move(result));
}

// The error's word, or "none".
std::string Refusal(const std::string& text) {
  const std::variant<Command, CommandError> result = ParseCommand(text, kLimits);
  const auto* error = std::get_if<CommandError>(&result);
  return error == nullptr ? "none" : std::string(ErrorWord(error->code));
}

TEST(CommandTest, ReadsEachCommand) {
  const Command join = Parse(R"({"cmd":"add_group","group_id":"123"})");
  EXPECT_EQ(join.kind, Command::Kind::kAddGroup);
  EXPECT_EQ(join.group_ids.at(0).id, "123");
  EXPECT_EQ(join.id, "");
  EXPECT_EQ(Parse(R"({"cmd":"leave_group","group_id":"123"})").kind, Command::Kind::kLeaveGroup);
  EXPECT_EQ(Parse(R"({"cmd":"ping"})").kind, Command::Kind::kPing);
  const Command send = Parse(R"({"cmd":"send_to_group","group_id":"123","message":"hi"})");
  EXPECT_EQ(send.kind, Command::Kind::kSendToGroup);
  EXPECT_EQ(send.message, "hi");
  EXPECT_FALSE(send.many);
}

TEST(CommandTest, AnIntegerGroupIdIsItsDecimalText) {
  EXPECT_EQ(Parse(R"({"cmd":"add_group","group_id":123})").group_ids.at(0).id, "123");
  EXPECT_EQ(Parse(R"({"cmd":"add_group","group_id":-5})").group_ids.at(0).id, "-5");
  EXPECT_EQ(Parse(R"({"cmd":"add_group","group_id":"1\u0032\u0033"})").group_ids.at(0).id, "123");
}

TEST(CommandTest, RefusesGroupIdsThatAreNone) {
  for (const char* id :
       {R"("")", "1.5", "1e2", "true", "null", "[]", "{}", R"("a\u0000")", R"("\u007f")"}) {
    EXPECT_EQ(Refusal(R"({"cmd":"add_group","group_id":)" + std::string(id) + "}"),
              "group_id_invalid")
        << id;
  }
  EXPECT_EQ(Refusal(R"({"cmd":"add_group"})"), "group_id_invalid");
  EXPECT_EQ(Refusal(R"({"cmd":"add_group","group_id":")" + std::string(129, 'g') + "\"}"),
            "group_id_invalid");
  EXPECT_EQ(Refusal(R"({"cmd":"add_group","group_id":")" + std::string(128, 'g') + "\"}"), "none");
}

TEST(CommandTest, TakesIntegersAndShortStringsAsIds) {
  EXPECT_EQ(Parse(R"({"cmd":"ping","id":7})").id, "7");
  EXPECT_EQ(Parse(R"({"cmd":"ping","id":"a\u0041"})").id, R"("a\u0041")");
  EXPECT_EQ(Parse(R"({"cmd":"ping","id":12345678901234567890})").id, "12345678901234567890");
  EXPECT_EQ(Refusal(R"({"cmd":"ping","id":")" + std::string(64, 'i') + "\"}"), "none");
  EXPECT_EQ(Refusal(R"({"cmd":"ping","id":")" + std::string(65, 'i') + "\"}"), "bad_json");
  for (const char* id : {"1.5", "1e3", "true", "null", "{}", "[1]"}) {
    EXPECT_EQ(Refusal(R"({"cmd":"ping","id":)" + std::string(id) + "}"), "bad_json") << id;
  }
}

TEST(CommandTest, TellsWhichCommandWasWrong) {
  const std::variant<Command, CommandError> result =
      ParseCommand(R"({"cmd":"send_to_group","id":"x","group_id":"1"})", kLimits);
  const auto& error = std::get<CommandError>(result);
  EXPECT_EQ(error.id, "\"x\"");
  EXPECT_EQ(error.cmd, "send_to_group");
  EXPECT_EQ(error.code, ErrorCode::kMessageMissing);
}

TEST(CommandTest, RefusesWhatIsNotOneObject) {
  for (const char* text :
       {"", "x", "[]", "1", "null", "\"cmd\"", "{", R"({"cmd":"ping"} x)", R"({"cmd":"ping",})",
        R"({"cmd":"ping"}{"cmd":"ping"})", R"({"a":"\ud800"})"}) {
    EXPECT_EQ(Refusal(text), "bad_json") << text;
  }
}

TEST(CommandTest, RefusesUnknownCommands) {
  for (const char* text :
       {"{}", R"({"cmd":1})", R"({"cmd":null})", R"({"cmd":""})", R"({"cmd":"ADD_GROUP"})"}) {
    EXPECT_EQ(Refusal(text), "unknown_command") << text;
  }
}

TEST(CommandTest, IgnoresUnknownFieldsAndTakesTheLastOfTwo) {
  EXPECT_EQ(
      Parse(R"({"x":{"cmd":"ping"},"cmd":"ping","cmd":"leave_group","group_id":1,"group_id":2})")
          .group_ids.at(0)
          .id,
      "2");
}

TEST(CommandTest, FieldNamesMayBeEscaped) { EXPECT_EQ(Refusal(R"({"\u0063md":"ping"})"), "none"); }

TEST(CommandTest, KeepsAMessagesOwnBytes) {
  const auto message = [](const std::string& value) {
    return Parse(R"({"cmd":"send_to_group","group_id":"1","message":)" + value + "}");
  };
  EXPECT_EQ(message(R"("a\nb\u00fc")").message, "a\nbü");
  EXPECT_EQ(message(R"("x")").message_kind, Content::Kind::kText);
  EXPECT_EQ(message("0.10").message, "0.10");
  EXPECT_EQ(message("0.10").message_kind, Content::Kind::kJson);
  EXPECT_EQ(message("123456789012345678").message, "123456789012345678");
  EXPECT_EQ(message(R"({ "a" : [ 1 , "b c" ] })").message, R"({"a":[1,"b c"]})");
  EXPECT_EQ(message("null").message, "null");
  EXPECT_EQ(message(R"("")").message, "");
}

TEST(CommandTest, TheLimitCountsTheMessageAsItIsDelivered) {
  const auto refusal = [](const std::string& value) {
    return Refusal(R"({"cmd":"send_to_group","group_id":"1","message":)" + value + "}");
  };
  EXPECT_EQ(refusal("\"" + std::string(20, 'x') + "\""), "none");
  EXPECT_EQ(refusal("\"" + std::string(21, 'x') + "\""), "message_too_large");
  EXPECT_EQ(refusal(R"("\u0041\u0041\u0041\u0041\u0041")"),
            "none");  // 30 bytes here, 5 when delivered
  EXPECT_EQ(refusal("[" + std::string(50, ' ') + "]"), "none");
}

TEST(CommandTest, ReadsManyGroupsAndSaysWhatIsWrongWithEach) {
  const Command send =
      Parse(R"({"cmd":"send_to_group","group_ids":["a",7,"b\u0000"],"message":1})");
  EXPECT_TRUE(send.many);
  ASSERT_EQ(send.group_ids.size(), 3u);
  EXPECT_EQ(send.group_ids[0].defect, "");
  EXPECT_EQ(send.group_ids[1].id, "7");
  EXPECT_EQ(send.group_ids[2].defect, "has a control character");
}

TEST(CommandTest, RefusesListsOfGroupsThatAreNone) {
  const auto refusal = [](const std::string& fields) {
    return Refusal(R"({"cmd":"send_to_group",)" + fields + R"(,"message":1})");
  };
  EXPECT_EQ(refusal(R"("group_ids":[])"), "group_id_invalid");
  EXPECT_EQ(refusal(R"("group_ids":"a")"), "group_id_invalid");
  EXPECT_EQ(refusal(R"("group_ids":["a"],"group_id":"b")"), "group_id_invalid");
  EXPECT_EQ(refusal(R"("group_ids":[1,2,3,4])"), "too_many_groups");
}

TEST(CommandTest, ReadsWhereAJoinBegins) {
  const Command since = Parse(
      R"({"cmd":"add_group","group_id":"g","since":{"offset":41,"x":1,"epoch":"5f0c2ab3d1e9447A"}})");
  EXPECT_EQ(since.since, (Position{Epoch{0x5f0c2ab3d1e9447a}, 41}));
  EXPECT_EQ(since.history, 0u);
  const auto history = [](const std::string& count) {
    return Parse(R"({"cmd":"add_group","group_id":"g","history":)" + count + "}").history;
  };
  EXPECT_EQ(history("0"), 0u);
  EXPECT_EQ(history("7"), 7u);
  EXPECT_EQ(history("101"), 100u);
  EXPECT_EQ(history("99999999999999999999"), 100u);
}

TEST(CommandTest, ReadsTokens) {
  const Command authenticate = Parse(R"({"cmd":"authenticate","token":"a\u002eb"})");
  EXPECT_EQ(authenticate.kind, Command::Kind::kAuthenticate);
  EXPECT_EQ(authenticate.token, "a.b");
  EXPECT_EQ(Parse(R"({"cmd":"add_group","group_id":"g","token":"t"})").token, "t");
  EXPECT_EQ(Parse(R"({"cmd":"add_group","group_id":"g"})").token, "");
  EXPECT_EQ(Parse(R"({"cmd":"leave_group","group_id":"g","token":1})").token, "");
  for (const char* fields :
       {R"("cmd":"authenticate")", R"("cmd":"authenticate","token":"")",
        R"("cmd":"authenticate","token":1)", R"("cmd":"authenticate","token":null)",
        R"("cmd":"add_group","group_id":"g","token":1)",
        R"("cmd":"add_group","group_id":"g","token":"")"}) {
    EXPECT_EQ(Refusal("{" + std::string(fields) + "}"), "bad_json") << fields;
  }
}

TEST(CommandTest, RefusesStartsThatAreNone) {
  const auto refusal = [](const std::string& fields) {
    return Refusal(R"({"cmd":"add_group","group_id":"g",)" + fields + "}");
  };
  for (const char* since :
       {"1", "null", "{}", "[]", R"({"epoch":"000000000000000a"})", R"({"offset":1})",
        R"({"epoch":"00000000000000a","offset":1})", R"({"epoch":"000000000000000g","offset":1})",
        R"({"epoch":"0x0000000000000a","offset":1})", R"({"epoch":10,"offset":1})",
        R"({"epoch":"000000000000000a","offset":-1})",
        R"({"epoch":"000000000000000a","offset":1.0})",
        R"({"epoch":"000000000000000a","offset":"1"})",
        R"({"epoch":"000000000000000a","offset":9007199254740992})"}) {
    EXPECT_EQ(refusal(R"("since":)" + std::string(since)), "bad_json") << since;
  }
  EXPECT_EQ(refusal(R"("since":{"epoch":"000000000000000a","offset":9007199254740991})"), "none");
  for (const char* history : {"-1", "1.5", "\"1\"", "null", "true"}) {
    EXPECT_EQ(refusal(R"("history":)" + std::string(history)), "bad_json") << history;
  }
  EXPECT_EQ(refusal(R"("since":{"epoch":"000000000000000a","offset":1},"history":1)"), "bad_json");
}

TEST(CommandTest, ReadsKeysAndExclusion) {
  const auto with = [](const std::string& fields) {
    return R"({"cmd":"send_to_group","group_id":"g","message":1)" + fields + "}";
  };
  EXPECT_EQ(Parse(with(R"(,"key":"k\u00e9","exclude_self":true)")).key, "ké");
  EXPECT_TRUE(Parse(with(R"(,"exclude_self":true)")).exclude_self);
  EXPECT_FALSE(Parse(with(R"(,"exclude_self":false)")).exclude_self);
  EXPECT_EQ(Parse(with("")).key, "");
  EXPECT_EQ(Refusal(with(R"(,"key":")" + std::string(64, 'k') + "\"")), "none");
  for (const std::string& field :
       {std::string(R"("key":1)"), std::string(R"("key":"")"), std::string(R"("key":null)"),
        R"("key":")" + std::string(65, 'k') + "\"", std::string(R"("exclude_self":1)"),
        std::string(R"("exclude_self":"true")"), std::string(R"("exclude_self":null)")}) {
    EXPECT_EQ(Refusal(with("," + field)), "bad_json") << field;
  }
}

TEST(CommandTest, ReadsGroupHistory) {
  const auto parse = [](const std::string& fields) {
    return Parse(R"({"cmd":"group_history","group_id":"g")" + fields + "}");
  };
  EXPECT_EQ(parse("").kind, Command::Kind::kGroupHistory);
  EXPECT_EQ(parse("").history, 100u);
  EXPECT_EQ(parse(R"(,"limit":5)").history, 5u);
  EXPECT_EQ(parse(R"(,"limit":500)").history, 100u);
  EXPECT_EQ(parse(R"(,"since":{"epoch":"000000000000000a","offset":3},"limit":2)").since->offset,
            3u);
  EXPECT_EQ(Refusal(R"({"cmd":"group_history","group_id":"g","limit":0})"), "bad_json");
  EXPECT_EQ(Refusal(R"({"cmd":"group_history","group_id":"g","since":1})"), "bad_json");
  EXPECT_EQ(Refusal(R"({"cmd":"group_history"})"), "group_id_invalid");
}

// A field belongs to its commands; elsewhere it is unknown, and ignored.
TEST(CommandTest, IgnoresFieldsOfOtherCommands) {
  EXPECT_EQ(Refusal(R"({"cmd":"leave_group","group_id":"g","since":1,"key":2,"history":"x"})"),
            "none");
  EXPECT_EQ(Refusal(R"({"cmd":"add_group","group_id":"g","limit":0,"key":2,"exclude_self":3})"),
            "none");
}

TEST(CommandTest, AJoinMayAskForPresence) {
  const auto presence = [](const std::string& value) {
    return Parse(R"({"cmd":"add_group","group_id":"g","presence":)" + value + "}").presence;
  };
  EXPECT_TRUE(presence("true"));
  EXPECT_FALSE(presence("false"));
  EXPECT_FALSE(Parse(R"({"cmd":"add_group","group_id":"g"})").presence);
  for (const char* value : {"1", "\"true\"", "null"}) {
    EXPECT_EQ(
        Refusal(R"({"cmd":"add_group","group_id":"g","presence":)" + std::string(value) + "}"),
        "bad_json")
        << value;
  }
}

TEST(CommandTest, ReadsAPageOfMembers) {
  const Command all = Parse(R"({"cmd":"group_members","group_id":5,"id":1})");
  EXPECT_EQ(all.kind, Command::Kind::kGroupMembers);
  EXPECT_EQ(all.group_ids.at(0).id, "5");
  EXPECT_EQ(all.limit, 100u);
  EXPECT_EQ(all.after, std::nullopt);
  EXPECT_FALSE(all.count_only);
  const Command page = Parse(
      R"({"cmd":"group_members","group_id":"g","limit":7,"after":"00000000000000ff","count_only":true})");
  EXPECT_EQ(page.limit, 7u);
  EXPECT_EQ(page.after, 255u);
  EXPECT_TRUE(page.count_only);
  EXPECT_EQ(Parse(R"({"cmd":"group_members","group_id":"g","limit":501})").limit, 500u);
  EXPECT_EQ(Parse(R"({"cmd":"group_members","group_id":"g","limit":99999999999})").limit, 500u);
  for (const char* fields :
       {R"("limit":0)", R"("limit":-1)", R"("limit":"1")", R"("after":1)", R"("after":"ff")",
        R"("after":"000000000000000g")", R"("count_only":1)"}) {
    EXPECT_EQ(Refusal(R"({"cmd":"group_members","group_id":"g",)" + std::string(fields) + "}"),
              "bad_json")
        << fields;
  }
  EXPECT_EQ(Refusal(R"({"cmd":"group_members"})"), "group_id_invalid");
}

}  // namespace
}  // namespace groupcast::service
