// Section 8.1: text is UTF-8, and what is not is refused as soon as it is certain.

#include "absl/strings/str_cat.h"
#include "tests/conformance/case.h"

namespace groupcast::tests {
namespace {

struct Sample {
  const char* name;
  absl::string_view bytes;
};

constexpr Sample kValid[] = {
    {"LowestOf2Bytes", "\xc2\xa0"},
    {"HighestOf2Bytes", "\xdf\xbf"},
    {"LowestOf3Bytes", "\xe0\xa0\x80"},
    {"BelowTheSurrogates", "\xed\x9f\xbf"},
    {"AboveTheSurrogates", "\xee\x80\x80"},
    {"ReplacementCharacter", "\xef\xbf\xbd"},
    {"NoncharacterFDD0", "\xef\xb7\x90"},
    {"NoncharacterFFFE", "\xef\xbf\xbe"},
    {"NoncharacterFFFF", "\xef\xbf\xbf"},
    {"LowestOf4Bytes", "\xf0\x90\x80\x80"},
    {"Noncharacter1FFFF", "\xf0\x9f\xbf\xbf"},
    {"HighestOfAll", "\xf4\x8f\xbf\xbf"},
    {"ByteOrderMark", "\xef\xbb\xbf"},
    {"Delete", "\x7f"},
    {"Arabic", "هذه هي الرسالة"},
    {"CombiningMarks", "e\xcc\x81\xcc\xa7"},
    {"MixedLengths", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"},
};

constexpr Sample kInvalid[] = {
    {"LoneContinuation80", "\x80"},
    {"LoneContinuationBF", "\xbf"},
    {"ContinuationAfterAscii", "a\x80"},
    {"ContinuationTooMany", "\xc3\xa9\xa9"},
    {"OverlongC0", "\xc0\xaf"},
    {"OverlongC1", "\xc1\xbf"},
    {"OverlongOf3Bytes", "\xe0\x9f\xbf"},
    {"OverlongOf4Bytes", "\xf0\x8f\xbf\xbf"},
    {"OverlongNul", "\xc0\x80"},
    {"LowestSurrogate", "\xed\xa0\x80"},
    {"HighestSurrogate", "\xed\xbf\xbf"},
    {"SurrogatePair", "\xed\xa0\xbd\xed\xb8\x80"},
    {"AboveUnicode", "\xf4\x90\x80\x80"},
    {"F5", "\xf5\x80\x80\x80"},
    {"FiveBytes", "\xf8\x88\x80\x80\x80"},
    {"SixBytes", "\xfc\x84\x80\x80\x80\x80"},
    {"FE", "\xfe"},
    {"FF", "\xff"},
    {"CutAfter1Of2", "\xc3x"},
    {"CutAfter1Of3", "\xe2x"},
    {"CutAfter2Of3", "\xe2\x82x"},
    {"CutAfter1Of4", "\xf0x"},
    {"CutAfter2Of4", "\xf0\x9fx"},
    {"CutAfter3Of4", "\xf0\x9f\x98x"},
    {"LeadAfterLead", "\xc3\xc3\xa9"},
    {"Latin1", "caf\xe9 "},
};

constexpr Sample kCharacters[] = {
    {"Of2Bytes", "\xc3\xa9"}, {"Of3Bytes", "\xe2\x82\xac"}, {"Of4Bytes", "\xf0\x9f\x98\x80"}};

// Where in the command's bytes a character lies that is its text.
size_t TextAt() { return Echo("").size() - 2; }

std::vector<Case> ValidCases() {
  std::vector<Case> cases;
  for (const Sample& sample : kValid) {
    cases.push_back(
        {sample.name, {TextFrame(Echo(sample.bytes))}, Answers({Echoed(sample.bytes)})});
  }
  return cases;
}

std::vector<Case> InvalidCases() {
  std::vector<Case> cases;
  for (const Sample& sample : kInvalid) {
    cases.push_back({sample.name, {TextFrame(Echo(sample.bytes))}, Closes(1007)});
  }
  return cases;
}

std::vector<Case> SplitCases() {
  std::vector<Case> cases;
  for (const Sample& sample : kCharacters) {
    const std::string command = Echo(absl::StrCat("a", sample.bytes, "z"));
    const std::string frame = TextFrame(command);
    const size_t header_bytes = frame.size() - command.size();
    for (size_t i = 1; i < sample.bytes.size(); ++i) {
      const size_t cut = TextAt() + 1 + i;
      const std::vector<ExpectedFrame> echoed = {Echoed(absl::StrCat("a", sample.bytes, "z"))};
      cases.push_back({absl::StrCat(sample.name, "OverFramesAfter", i),
                       {Fragments(command, {cut})},
                       Answers(echoed)});
      cases.push_back({absl::StrCat(sample.name, "OverFramesInTwoWritesAfter", i),
                       {Fragments(command, {cut}).substr(0, cut + 6),
                        Fragments(command, {cut}).substr(cut + 6)},
                       Answers(echoed)});
      cases.push_back({absl::StrCat(sample.name, "OverWritesAfter", i),
                       {frame.substr(0, header_bytes + cut), frame.substr(header_bytes + cut)},
                       Answers(echoed)});
    }
    std::vector<size_t> each;
    for (size_t i = 1; i < command.size(); ++i) each.push_back(i);
    cases.push_back({absl::StrCat(sample.name, "OverFramesOfOneByte"),
                     {Fragments(command, each)},
                     Answers({Echoed(absl::StrCat("a", sample.bytes, "z"))})});
  }
  return cases;
}

// A character that the message ends in: whole frames, and the last of several.
std::vector<Case> TruncatedCases() {
  std::vector<Case> cases;
  for (const Sample& sample : kCharacters) {
    for (size_t i = 1; i < sample.bytes.size(); ++i) {
      const std::string text = absl::StrCat("abc", sample.bytes.substr(0, i));
      cases.push_back({absl::StrCat(sample.name, "EndsAfter", i), {TextFrame(text)}, Closes(1007)});
      cases.push_back({absl::StrCat(sample.name, "EndsAfter", i, "InTheLastFragment"),
                       {Fragments(text, {2})},
                       Closes(1007)});
      cases.push_back({absl::StrCat(sample.name, "EndsAfter", i, "BeforeAnEmptyFragment"),
                       {Fragments(text, {text.size()})},
                       Closes(1007)});
    }
  }
  return cases;
}

// The message never ends in these: the answer must come without its rest.
std::vector<Case> AtOnceCases() {
  std::vector<Case> cases;
  for (const Sample& sample :
       {Sample{"LoneContinuation", "\x80"}, Sample{"FF", "\xff"}, Sample{"OverlongLead", "\xc0"},
        Sample{"OverlongOf3Bytes", "\xe0\x80"}, Sample{"OverlongOf4Bytes", "\xf0\x80"},
        Sample{"Surrogate", "\xed\xa0"}, Sample{"AboveUnicode", "\xf4\x90"},
        Sample{"CutCharacter", "\xf0\x9f\x98x"}}) {
    const std::string text = absl::StrCat("abc", sample.bytes);
    cases.push_back({absl::StrCat(sample.name, "InAnUnfinishedMessage"),
                     {MakeFrame(kText, text, {.fin = false})},
                     Closes(1007)});
    cases.push_back({absl::StrCat(sample.name, "InAnUnfinishedFrame"),
                     {MakeFrame(kText, text, {.length = 1'000})},
                     Closes(1007)});
  }
  const std::string overlong = MakeFrame(kText, "\xf4\x90\x80\x80", {.length = 1'000});
  cases.push_back(
      {"AtTheSecondByteOfFour", OneByOne(overlong.substr(0, overlong.size() - 2)), Closes(1007)});
  cases.push_back(
      {"OverTwoFragments",
       {MakeFrame(kText, "\xed", {.fin = false}), MakeFrame(kContinuation, "\xa0", {.fin = false})},
       Closes(1007)});
  cases.push_back({"AfterAWholeMessage",
                   {TextFrame(Echo("x")) + MakeFrame(kText, "\xff", {.fin = false})},
                   Closes(1007, {Echoed("x")})});
  return cases;
}

CONFORMANCE_CASES(Section8_1_ValidUtf8, ::testing::ValuesIn(ValidCases()));
CONFORMANCE_CASES(Section8_1_InvalidUtf8, ::testing::ValuesIn(InvalidCases()));
CONFORMANCE_CASES(Section8_1_SplitCharacters, ::testing::ValuesIn(SplitCases()));
CONFORMANCE_CASES(Section8_1_TruncatedCharacters, ::testing::ValuesIn(TruncatedCases()));
CONFORMANCE_CASES(Section8_1_AsSoonAsItIsCertain, ::testing::ValuesIn(AtOnceCases()));

}  // namespace
}  // namespace groupcast::tests
