#ifndef SDK_CPP_GROUPCAST_JSON_SCANNER_H_
#define SDK_CPP_GROUPCAST_JSON_SCANNER_H_

#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"

namespace groupcast {

// Steps through a JSON object or array that is known to be valid, to find where values stand. The
// parser's own value will not do: printing it again would change numbers.
class JsonScanner {
 public:
  explicit JsonScanner(absl::string_view value) : text_(value) {}

  // The bytes of the last member called `name`, or empty if no member's name is written so.
  absl::string_view Find(absl::string_view name) {
    absl::string_view found;
    SkipBlanks();
    ++at_;  // {
    for (SkipBlanks(); text_[at_] == '"'; SkipBlanks()) {
      const size_t name_begin = at_;
      SkipString();
      const absl::string_view quoted = text_.substr(name_begin, at_ - name_begin);
      SkipBlanks();
      ++at_;  // :
      SkipBlanks();
      const size_t value_begin = at_;
      SkipValue();
      if (quoted.substr(1, quoted.size() - 2) == name) {
        found = text_.substr(value_begin, at_ - value_begin);
      }
      SkipBlanks();
      if (text_[at_] == ',') ++at_;
    }
    return found;
  }

  // The bytes of each element.
  std::vector<absl::string_view> Elements() {
    std::vector<absl::string_view> elements;
    SkipBlanks();
    ++at_;  // [
    for (SkipBlanks(); text_[at_] != ']'; SkipBlanks()) {
      const size_t begin = at_;
      SkipValue();
      elements.push_back(text_.substr(begin, at_ - begin));
      SkipBlanks();
      if (text_[at_] == ',') ++at_;
    }
    return elements;
  }

 private:
  void SkipBlanks() {
    while (absl::string_view(" \t\r\n").find(text_[at_]) != absl::string_view::npos) ++at_;
  }

  void SkipString() {
    for (++at_; text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }

  void SkipValue() {
    int depth = 0;
    do {
      const char c = text_[at_];
      if (c == '"') {
        SkipString();
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        --depth;
        ++at_;
      } else if (depth > 0) {
        ++at_;
      } else {
        at_ = text_.find_first_of(",]} \t\r\n", at_);
      }
    } while (depth > 0);
  }

  const absl::string_view text_;
  size_t at_ = 0;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_JSON_SCANNER_H_
