#ifndef GROUPCAST_SERVICES_PROTOCOL_JSON_H_
#define GROUPCAST_SERVICES_PROTOCOL_JSON_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// Reads JSON (RFC 8259) in place, without building a tree. A command has few fields, and its
// message must keep its own bytes. The input must be UTF-8: the caller must check it first.
//
// One rule is stricter than the grammar: a \u escape must not be a lone surrogate, since such a
// string has no UTF-8.
class JsonReader {
 public:
  explicit JsonReader(absl::string_view text) : text_(text) {}

  // Each reads one element after insignificant whitespace. False: the element is missing or not
  // well-formed. Then error() has the reason, and the caller must not use the reader again.
  bool ReadValue(absl::string_view* raw);   // any value; `raw` is its bytes
  bool ReadString(absl::string_view* raw);  // with its quotes
  bool Expect(char c);
  bool ExpectEnd();

  // Takes `c` if it is next, after insignificant whitespace.
  bool Accept(char c);

  absl::Status error() const;
  // Whether the reason is the bound of the depth.
  bool is_too_deep() const { return is_too_deep_; }

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
  bool is_too_deep_ = false;
  absl::string_view what_;  // the reason of the failure
};

// The bound of the nesting depth of brackets. The reader refuses deeper input, so that it cannot
// exhaust the stack of a later reader.
inline constexpr int kJsonDepthMax = 64;

// Appends the text of a JSON string that JsonReader accepted. `raw` has its quotes.
void AppendJsonText(absl::string_view raw, std::string* text);

// Appends a value that JsonReader accepted, without insignificant whitespace.
void AppendCompactJson(absl::string_view raw, std::string* compact);

// Appends `text`, which must be UTF-8, as a JSON string with its quotes.
void AppendJsonString(absl::string_view text, std::string* json);
// The same in two steps, for a buffer of the right size: the size of the string with its quotes,
// and the writing. WriteJsonString returns the end of what it has written.
size_t JsonStringBytes(absl::string_view text);
char* WriteJsonString(absl::string_view text, char* to);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROTOCOL_JSON_H_
