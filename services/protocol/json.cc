#include "services/protocol/json.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

bool IsWhitespace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHighSurrogate(unsigned unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool IsLowSurrogate(unsigned unit) { return unit >= 0xdc00 && unit < 0xe000; }

unsigned Hex4(const char* digits) {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = digits[i];
    value = value << 4 | static_cast<unsigned>(IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

void AppendUtf8(unsigned point, std::string* text) {
  const auto append = [text](unsigned byte) { text->push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    append(point);
  } else if (point < 0x800) {
    append(0xc0 | point >> 6);
    append(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    append(0xe0 | point >> 12);
    append(0x80 | (point >> 6 & 0x3f));
    append(0x80 | (point & 0x3f));
  } else {
    append(0xf0 | point >> 18);
    append(0x80 | (point >> 12 & 0x3f));
    append(0x80 | (point >> 6 & 0x3f));
    append(0x80 | (point & 0x3f));
  }
}

// The form of a byte in a JSON string.
struct Escape {
  uint8_t extra_bytes = 0;  // more than one; 0: it stands for itself
  std::array<char, 6> text{};
};

constexpr std::array<Escape, 256> MakeEscapes() {
  constexpr absl::string_view kHex = "0123456789abcdef";
  std::array<Escape, 256> escapes{};
  for (size_t c = 0; c < 0x20; ++c) {
    escapes[c] = {5, {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]}};
  }
  escapes['"'] = {1, {'\\', '"'}};
  escapes['\\'] = {1, {'\\', '\\'}};
  escapes['\n'] = {1, {'\\', 'n'}};
  escapes['\r'] = {1, {'\\', 'r'}};
  escapes['\t'] = {1, {'\\', 't'}};
  return escapes;
}
constexpr std::array<Escape, 256> kEscapes = MakeEscapes();

constexpr uint64_t EveryByte(uint8_t value) { return value * 0x0101010101010101u; }

// Whether one of eight bytes needs an escape. Each term is not zero if and only if one byte is in
// its class: a byte below n borrows in `word - n` and has no high bit itself.
bool AnyNeedsEscape(uint64_t word) {
  const auto any_below = [](uint64_t bytes, uint8_t n) { return (bytes - EveryByte(n)) & ~bytes; };
  const uint64_t controls = any_below(word, 0x20);
  const uint64_t quotes = any_below(word ^ EveryByte('"'), 1);
  const uint64_t backslashes = any_below(word ^ EveryByte('\\'), 1);
  return ((controls | quotes | backslashes) & EveryByte(0x80)) != 0;
}

// Calls `plain_word` for each eight bytes without an escape, and `byte` for each other byte.
template <typename PlainWord, typename Byte>
void ForEachPart(absl::string_view text, PlainWord plain_word, Byte byte) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (uint64_t word; end - at >= static_cast<ptrdiff_t>(sizeof(word)); at += sizeof(word)) {
    std::memcpy(&word, at, sizeof(word));
    if (!AnyNeedsEscape(word)) {
      plain_word(word);
      continue;
    }
    for (size_t i = 0; i < sizeof(word); ++i) byte(at[i]);
  }
  for (; at != end; ++at) byte(*at);
}

const Escape& EscapeOf(char c) { return kEscapes[static_cast<unsigned char>(c)]; }

}  // namespace

bool JsonReader::ReadValue(absl::string_view* raw) {
  SkipWhitespace();
  const size_t start = at_;
  if (!SkipValue()) return false;
  *raw = text_.substr(start, at_ - start);
  return true;
}

bool JsonReader::ReadString(absl::string_view* raw) {
  SkipWhitespace();
  const size_t start = at_;
  if (at_end() || text_[at_] != '"') return Fail("expected a string");
  if (!SkipString()) return false;
  *raw = text_.substr(start, at_ - start);
  return true;
}

bool JsonReader::Expect(char c) {
  if (Accept(c)) return true;
  switch (c) {
    case '{':
      return Fail("expected {");
    case ':':
      return Fail("expected :");
    case '}':
      return Fail("expected , or }");
    default:
      return Fail("expected , or ]");
  }
}

bool JsonReader::ExpectEnd() {
  SkipWhitespace();
  return at_end() || Fail("something follows the object");
}

bool JsonReader::Accept(char c) {
  SkipWhitespace();
  if (at_end() || text_[at_] != c) return false;
  ++at_;
  return true;
}

absl::Status JsonReader::error() const {
  return absl::InvalidArgumentError(absl::StrCat(what_, " at byte ", at_));
}

bool JsonReader::SkipValue() {
  if (at_end()) return Fail("expected a value");
  switch (text_[at_]) {
    case '{':
    case '[':
      return SkipContainer();
    case '"':
      return SkipString();
    case 't':
      return SkipLiteral("true");
    case 'f':
      return SkipLiteral("false");
    case 'n':
      return SkipLiteral("null");
    default:
      return SkipNumber();
  }
}

bool JsonReader::SkipContainer() {
  if (++depth_ > kJsonDepthMax - 1) {  // the command itself is one level
    is_too_deep_ = true;
    return Fail("brackets nest too deep");
  }
  const bool is_object = text_[at_++] == '{';
  const char end = is_object ? '}' : ']';
  if (!Accept(end)) {
    do {
      absl::string_view raw;
      if (is_object && (!ReadString(&raw) || !Expect(':'))) return false;
      SkipWhitespace();
      if (!SkipValue()) return false;
    } while (Accept(','));
    if (!Expect(end)) return false;
  }
  --depth_;
  return true;
}

bool JsonReader::SkipString() {
  for (++at_; !at_end();) {
    uint64_t word;
    while (text_.size() - at_ >= sizeof(word)) {
      std::memcpy(&word, text_.data() + at_, sizeof(word));
      if (AnyNeedsEscape(word)) break;
      at_ += sizeof(word);
    }
    if (at_end()) break;
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') {
      ++at_;
      return true;
    }
    if (c < 0x20) return Fail("control character in a string");
    ++at_;
    if (c != '\\') continue;
    if (at_end()) break;
    const char escaped = text_[at_++];
    if (absl::string_view("\"\\/bfnrt").find(escaped) != absl::string_view::npos) continue;
    if (escaped != 'u') return Fail("unknown escape");
    unsigned unit;
    if (!ReadHex4(&unit)) return false;
    if (IsLowSurrogate(unit)) return Fail("lone surrogate");
    if (!IsHighSurrogate(unit)) continue;
    if (text_.substr(at_, 2) != "\\u") return Fail("lone surrogate");
    at_ += 2;
    if (!ReadHex4(&unit)) return false;
    if (!IsLowSurrogate(unit)) return Fail("lone surrogate");
  }
  return Fail("string without end");
}

bool JsonReader::ReadHex4(unsigned* value) {
  if (text_.size() - at_ < 4) return Fail("\\u without four digits");
  for (int i = 0; i < 4; ++i) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(text_[at_ + i]))) {
      return Fail("\\u without four digits");
    }
  }
  *value = Hex4(text_.data() + at_);
  at_ += 4;
  return true;
}

bool JsonReader::SkipNumber() {
  if (!at_end() && text_[at_] == '-') ++at_;
  if (at_end() || !IsDigit(text_[at_])) return Fail("expected a value");
  if (text_[at_] == '0') {
    ++at_;
  } else {
    SkipDigits();
  }
  if (!at_end() && text_[at_] == '.') {
    ++at_;
    if (!SkipDigits()) return Fail("number without digits after the point");
  }
  if (!at_end() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    ++at_;
    if (!at_end() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    if (!SkipDigits()) return Fail("number without digits in its exponent");
  }
  return true;
}

bool JsonReader::SkipDigits() {
  const size_t start = at_;
  while (!at_end() && IsDigit(text_[at_])) ++at_;
  return at_ > start;
}

bool JsonReader::SkipLiteral(absl::string_view literal) {
  if (text_.substr(at_, literal.size()) != literal) return Fail("expected a value");
  at_ += literal.size();
  return true;
}

void JsonReader::SkipWhitespace() {
  while (!at_end() && IsWhitespace(text_[at_])) ++at_;
}

bool JsonReader::Fail(absl::string_view what) {
  what_ = what;
  return false;
}

void AppendJsonText(absl::string_view raw, std::string* text) {
  raw = raw.substr(1, raw.size() - 2);
  while (!raw.empty()) {
    const size_t plain = std::min(raw.find('\\'), raw.size());
    text->append(raw.data(), plain);
    raw.remove_prefix(plain);
    if (raw.empty()) return;
    const char escaped = raw[1];
    raw.remove_prefix(2);
    switch (escaped) {
      case 'b':
        text->push_back('\b');
        break;
      case 'f':
        text->push_back('\f');
        break;
      case 'n':
        text->push_back('\n');
        break;
      case 'r':
        text->push_back('\r');
        break;
      case 't':
        text->push_back('\t');
        break;
      case 'u': {
        unsigned point = Hex4(raw.data());
        raw.remove_prefix(4);
        if (IsHighSurrogate(point)) {
          point = 0x10000 + ((point - 0xd800) << 10) + (Hex4(raw.data() + 2) - 0xdc00);
          raw.remove_prefix(6);
        }
        AppendUtf8(point, text);
        break;
      }
      default:
        text->push_back(escaped);
    }
  }
}

void AppendCompactJson(absl::string_view raw, std::string* compact) {
  bool in_string = false;
  for (size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (!in_string && IsWhitespace(c)) continue;
    compact->push_back(c);
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') compact->push_back(raw[++i]);
  }
}

size_t JsonStringBytes(absl::string_view text) {
  size_t bytes = text.size() + 2;
  ForEachPart(
      text, [](uint64_t) {}, [&](char c) { bytes += EscapeOf(c).extra_bytes; });
  return bytes;
}

char* WriteJsonString(absl::string_view text, char* to) {
  *to++ = '"';
  ForEachPart(
      text,
      [&](uint64_t word) {
        std::memcpy(to, &word, sizeof(word));
        to += sizeof(word);
      },
      [&](char c) {
        const Escape& escape = EscapeOf(c);
        if (escape.extra_bytes == 0) {
          *to++ = c;
        } else if (escape.extra_bytes == 1) {
          std::memcpy(to, escape.text.data(), 2);
          to += 2;
        } else {
          std::memcpy(to, escape.text.data(), escape.text.size());
          to += escape.text.size();
        }
      });
  *to++ = '"';
  return to;
}

void AppendJsonString(absl::string_view text, std::string* json) {
  const size_t at = json->size();
  json->resize(at + JsonStringBytes(text));
  WriteJsonString(text, json->data() + at);
}

}  // namespace groupcast::service
