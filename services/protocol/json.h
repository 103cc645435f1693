#ifndef GROUPCAST_SERVICES_PROTOCOL_JSON_H_
#define GROUPCAST_SERVICES_PROTOCOL_JSON_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// Reads JSON (RFC 8259) where it lies, without building a tree: commands have a handful of fields,
// and the message in them must be passed on with its own bytes. The input must be UTF-8, which the
// frame codec has checked.
//
// Beyond the grammar, \u escapes must not be lone surrogates: such a string has no UTF-8.
class JsonReader {
 public:
  explicit JsonReader(absl::string_view text) : text_(text) {}

  // Each reads one thing after insignificant whitespace. False: it is not there, or not
  // well-formed; the reader must not be used again then, and error() says what is wrong.
  bool ReadValue(absl::string_view* raw);   // any value; `raw` is the bytes it takes
  bool ReadString(absl::string_view* raw);  // with its quotes
  bool Expect(char c);
  bool ExpectEnd();

  // Takes `c` if it is next, after insignificant whitespace.
  bool Accept(char c);

  absl::Status error() const;

 private:
  bool SkipValue();
  bool SkipContainer();
  bool SkipString();
  bool SkipNumber();
  bool SkipLiteral(absl::string_view literal);
  bool SkipDigits();
  bool ReadHex4(unsigned* value);
  void SkipWhitespace();
  bool Fail(absl::string_view what);
  bool at_end() const { return at_ == text_.size(); }

  absl::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
  absl::string_view what_;  // what failed
};

// Brackets may nest this deep; deeper input is refused, so that it cannot exhaust the stack of
// whoever reads it later.
inline constexpr int kJsonDepthMax = 64;

// The text of a JSON string that JsonReader accepted; `raw` has its quotes. Appends.
void AppendJsonText(absl::string_view raw, std::string* text);

// A value that JsonReader accepted, without insignificant whitespace. Appends.
void AppendCompactJson(absl::string_view raw, std::string* compact);

// `text`, which must be UTF-8, as a JSON string with its quotes. Appends.
void AppendJsonString(absl::string_view text, std::string* json);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROTOCOL_JSON_H_
