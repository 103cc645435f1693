// Sections 5.4 to 5.6: fragmentation, control frames, data frames.

#include "absl/strings/str_cat.h"
#include "tests/conformance/case.h"

namespace groupcast::tests {
namespace {

std::string Start(absl::string_view part) { return MakeFrame(kText, part, {.fin = false}); }
std::string Middle(absl::string_view part) {
  return MakeFrame(kContinuation, part, {.fin = false});
}
std::string Last(absl::string_view part) { return MakeFrame(kContinuation, part); }

// The command that all cases here cut to pieces.
const std::string& Whole() {
  static const std::string whole = Echo("abcdef");
  return whole;
}
std::string Head() { return Whole().substr(0, 9); }
std::string Tail() { return Whole().substr(9); }

Case InFragmentsOfOneByte() {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < Whole().size(); ++i) cuts.push_back(i);
  return {"AFragmentForEachByte", {Fragments(Whole(), cuts)}, Answers({Echoed("abcdef")})};
}

Case ManyEmptyFragments() {
  std::string bytes = Start("");
  for (int i = 0; i < 1'000; ++i) bytes += Middle("");
  return {"AThousandEmptyFragments", {bytes + Last(Whole())}, Answers({Echoed("abcdef")})};
}

// Fragments that are each within the limit of 1 MiB.
Case FragmentsOver(const std::string& name, size_t last_bytes, Expectation expectation) {
  std::string command = EchoOfSize("x", 1 << 20);
  const size_t first = 600'000;
  command.resize(first + last_bytes, ' ');
  return {
      name, {Start(command.substr(0, first)), Last(command.substr(first))}, std::move(expectation)};
}

// The third frame's header says that the sum is over the limit.
Case FragmentHeaderOver() {
  return {"TheSumIsOverTheLimitAtTheHeader",
          {Start(std::string(600'000, ' ')), Middle(std::string(400'000, ' ')),
           MakeFrame(kContinuation, "", {.fin = false, .length = 60'000})},
          Closes(1009)};
}

CONFORMANCE_CASES(
    Section5_4_Fragmentation,
    ::testing::Values(
        Case{"TwoFragments", {Start(Head()), Last(Tail())}, Answers({Echoed("abcdef")})},
        Case{"TwoFragmentsInOneWrite", {Start(Head()) + Last(Tail())}, Answers({Echoed("abcdef")})},
        Case{"ThreeFragments",
             {Start(Head()), Middle(Tail().substr(0, 4)), Last(Tail().substr(4))},
             Answers({Echoed("abcdef")})},
        InFragmentsOfOneByte(), ManyEmptyFragments(),
        Case{"EmptyFirstFragment", {Start("") + Last(Whole())}, Answers({Echoed("abcdef")})},
        Case{"EmptyMiddleFragment",
             {Start(Head()) + Middle("") + Last(Tail())},
             Answers({Echoed("abcdef")})},
        Case{"EmptyLastFragment", {Start(Whole()) + Last("")}, Answers({Echoed("abcdef")})},
        Case{"AllFragmentsEmpty",
             {Start("") + Middle("") + Last("")},
             Answers({ErrorFrame("bad_json")})},
        Case{"FragmentedThenWhole",
             {Start(Head()) + Last(Tail()) + TextFrame(Echo("y"))},
             Answers({Echoed("abcdef"), Echoed("y")})},
        Case{"FragmentedTwice",
             {Start(Head()) + Last(Tail()) + Start(Head()) + Last(Tail())},
             Answers({Echoed("abcdef"), Echoed("abcdef")})},
        Case{"InWritesOfOneByte", OneByOne(Start(Head()) + Last(Tail())),
             Answers({Echoed("abcdef")})},
        Case{"ContinuationOfNothing", {Last("x")}, Closes(1002)},
        Case{"UnfinishedContinuationOfNothing", {Middle("x")}, Closes(1002)},
        Case{"ContinuationAfterAWholeMessage",
             {TextFrame(Echo("x")) + Last("y")},
             Closes(1002, {Echoed("x")})},
        Case{"ContinuationAfterTheLastFragment",
             {Start(Head()) + Last(Tail()) + Last("y")},
             Closes(1002, {Echoed("abcdef")})},
        Case{"NewTextInsideOfAMessage", {Start(Head()) + TextFrame(Echo("x"))}, Closes(1002)},
        Case{"NewFragmentedTextInsideOfAMessage", {Start(Head()) + Start(Head())}, Closes(1002)},
        Case{"NewBinaryInsideOfAMessage", {Start(Head()) + MakeFrame(kBinary, "x")}, Closes(1002)},
        Case{"NothingIsAnsweredBeforeTheEnd",
             {Start(Whole()) + MakeFrame(kPing, "1") + Last("")},
             Answers({PongFrame("1"), Echoed("abcdef")})},
        FragmentsOver("TheSumIsTheLimit", (1 << 20) - 600'000, Answers({Echoed("x")})),
        FragmentsOver("TheSumIsOverTheLimit", (1 << 20) - 600'000 + 1, Closes(1009)),
        FragmentHeaderOver()));

CONFORMANCE_CASES(
    Section5_4_ControlFramesBetweenFragments,
    ::testing::Values(
        Case{"Ping",
             {Start(Head()) + MakeFrame(kPing, "1") + Last(Tail())},
             Answers({PongFrame("1"), Echoed("abcdef")})},
        Case{"PingsInOrder",
             {Start(Head()) + MakeFrame(kPing, "1") + Middle("") + MakeFrame(kPing, "2") +
              MakeFrame(kPing, "3") + Last(Tail())},
             Answers({PongFrame("1"), PongFrame("2"), PongFrame("3"), Echoed("abcdef")})},
        Case{"PingOf125Bytes",
             {Start(Head()) + MakeFrame(kPing, std::string(125, 'p')) + Last(Tail())},
             Answers({PongFrame(std::string(125, 'p')), Echoed("abcdef")})},
        Case{"PingInWritesOfOneByte",
             OneByOne(Start(Head()) + MakeFrame(kPing, "12345") + Last(Tail())),
             Answers({PongFrame("12345"), Echoed("abcdef")})},
        Case{"Pong",
             {Start(Head()) + MakeFrame(kPong, "1") + Last(Tail())},
             Answers({Echoed("abcdef")})},
        Case{"Close", {Start(Head()) + CloseFrame(1000) + Last(Tail())}, Closes(1000)},
        // A character may be cut there too; the control frame's payload is none of the text's.
        Case{"InsideOfACharacter",
             {Start(Echo("\xf0\x9f\x98\x80").substr(0, 21)) + MakeFrame(kPing, "\xff") +
              Last(Echo("\xf0\x9f\x98\x80").substr(21))},
             Answers({PongFrame("\xff"), Echoed("\xf0\x9f\x98\x80")})}));

CONFORMANCE_CASES(
    Section5_5_ControlFrames,
    ::testing::Values(
        Case{"FragmentedPing", {MakeFrame(kPing, "x", {.fin = false})}, Closes(1002)},
        Case{"FragmentedPong", {MakeFrame(kPong, "x", {.fin = false})}, Closes(1002)},
        Case{"FragmentedClose", {MakeFrame(kClose, "\x03\xe8", {.fin = false})}, Closes(1002)},
        Case{"PingOf126Bytes", {MakeFrame(kPing, std::string(126, 'p'))}, Closes(1002)},
        Case{"PongOf126Bytes", {MakeFrame(kPong, std::string(126, 'p'))}, Closes(1002)},
        Case{"CloseOf126Bytes", {CloseFrame(1000, std::string(124, 'r'))}, Closes(1002)},
        Case{"PingOf65536Bytes", {MakeFrame(kPing, std::string(65'536, 'p'))}, Closes(1002)},
        Case{"FragmentedPingInsideOfAMessage",
             {Start(Head()) + MakeFrame(kPing, "x", {.fin = false})},
             Closes(1002)}));

CONFORMANCE_CASES(
    Section5_5_PingAndPong,
    ::testing::Values(Case{"EmptyPing", {MakeFrame(kPing, "")}, Answers({PongFrame("")})},
                      Case{"PingOf1Byte", {MakeFrame(kPing, "p")}, Answers({PongFrame("p")})},
                      Case{"PingOf125Bytes",
                           {MakeFrame(kPing, std::string(125, 'p'))},
                           Answers({PongFrame(std::string(125, 'p'))})},
                      Case{"PingPayloadNeedNotBeText",
                           {MakeFrame(kPing, absl::string_view("\x00\xff\xc0\x80", 4))},
                           Answers({PongFrame(absl::string_view("\x00\xff\xc0\x80", 4))})},
                      Case{"TenPings",
                           {MakeFrame(kPing, "0") + MakeFrame(kPing, "1") + MakeFrame(kPing, "2") +
                            MakeFrame(kPing, "3") + MakeFrame(kPing, "4")},
                           Answers({PongFrame("0"), PongFrame("1"), PongFrame("2"), PongFrame("3"),
                                    PongFrame("4")})},
                      Case{"PingInWritesOfOneByte", OneByOne(MakeFrame(kPing, "slow")),
                           Answers({PongFrame("slow")})},
                      Case{"PingBetweenTexts",
                           {TextFrame(Echo("x")) + MakeFrame(kPing, "1") + TextFrame(Echo("y"))},
                           Answers({Echoed("x"), PongFrame("1"), Echoed("y")})},
                      Case{"UnsolicitedPong", {MakeFrame(kPong, "x")}, NoAnswer()},
                      Case{"UnsolicitedEmptyPong", {MakeFrame(kPong, "")}, NoAnswer()},
                      Case{"UnsolicitedPongs",
                           {MakeFrame(kPong, "x") + MakeFrame(kPong, "y") + MakeFrame(kPing, "1")},
                           Answers({PongFrame("1")})}));

// docs/protocol.md: commands are text.
CONFORMANCE_CASES(
    Section5_6_BinaryFrames,
    ::testing::Values(
        Case{"Binary", {MakeFrame(kBinary, Echo("x"))}, Closes(1003)},
        Case{"EmptyBinary", {MakeFrame(kBinary, "")}, Closes(1003)},
        Case{"FragmentedBinary", {MakeFrame(kBinary, "x", {.fin = false})}, Closes(1003)},
        Case{"BinaryThatIsNotUtf8", {MakeFrame(kBinary, "\xff\xfe")}, Closes(1003)},
        Case{"BinaryAtTheHeader", {MakeFrame(kBinary, "", {.length = 100'000})}, Closes(1003)},
        Case{"BinaryAfterText",
             {TextFrame(Echo("x")) + MakeFrame(kBinary, "x")},
             Closes(1003, {Echoed("x")})}));

std::vector<Case> ConversationCases() {
  std::string frames;
  std::vector<ExpectedFrame> answers;
  for (int i = 0; i < 500; ++i) {
    const std::string number = absl::StrCat("number ", i);
    frames += i % 5 == 4 ? MakeFrame(kPing, number) : TextFrame(Echo(number));
    answers.push_back(i % 5 == 4 ? PongFrame(number) : Echoed(number));
  }
  // More than one read of the server takes, so that frames are cut anywhere.
  std::string large;
  std::vector<ExpectedFrame> large_answers;
  for (int i = 0; i < 40; ++i) {
    large += TextFrame(EchoOfSize(absl::StrCat(i), 9'973));
    large_answers.push_back(Echoed(absl::StrCat(i)));
  }
  const std::string slow = TextFrame(Echo("one")) + MakeFrame(kPing, "two") + Start(Head()) +
                           MakeFrame(kPong, "") + Last(Tail()) + TextFrame("no command") +
                           CloseFrame(1000, "done");
  return {
      {"ManyFramesInOneWrite", {frames}, Answers(answers)},
      {"FramesCutByTheServersReads", {large}, Answers(large_answers)},
      {"AWholeConversationInWritesOfOneByte", OneByOne(slow),
       Closes(1000, {Echoed("one"), PongFrame("two"), Echoed("abcdef"), ErrorFrame("bad_json")})}};
}

CONFORMANCE_CASES(Section5_Conversations, ::testing::ValuesIn(ConversationCases()));

}  // namespace
}  // namespace groupcast::tests
