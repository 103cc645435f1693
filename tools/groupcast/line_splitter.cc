#include "tools/groupcast/line_splitter.h"

#include "absl/strings/strip.h"

namespace groupcast::cli {

void LineSplitter::Add(absl::string_view bytes) {
  for (size_t end = bytes.find('\n'); end != absl::string_view::npos; end = bytes.find('\n')) {
    Keep(bytes.substr(0, end));
    EndLine();
    bytes.remove_prefix(end + 1);
  }
  Keep(bytes);
}

void LineSplitter::Finish() {
  if (!line_.empty() || too_long_) EndLine();
}

void LineSplitter::Keep(absl::string_view part) {
  // One more byte than allowed: it may be the CR of the line's end.
  if (line_.size() + part.size() > line_bytes_max_ + 1) too_long_ = true;
  if (too_long_) {
    line_.clear();
  } else {
    line_.append(part.data(), part.size());
  }
}

void LineSplitter::EndLine() {
  absl::string_view text = line_;
  absl::ConsumeSuffix(&text, "\r");
  const bool too_long = too_long_ || text.size() > line_bytes_max_;
  sink_({number_++, too_long ? absl::string_view() : text, too_long});
  line_.clear();
  too_long_ = false;
}

}  // namespace groupcast::cli
