#ifndef GROUPCAST_TOOLS_GROUPCAST_LINE_SPLITTER_H_
#define GROUPCAST_TOOLS_GROUPCAST_LINE_SPLITTER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::cli {

struct InputLine {
  uint64_t number = 0;     // from 1
  absl::string_view text;  // without its end, LF or CR LF
  bool too_long = false;   // then `text` is empty
};

// Cuts input into lines. It keeps at most `line_bytes_max` bytes of an unfinished line. Of a longer
// line it tells the number, and skips the rest.
class LineSplitter {
 public:
  using Sink = std::function<void(const InputLine&)>;

  LineSplitter(size_t line_bytes_max, Sink sink)
      : line_bytes_max_(line_bytes_max), sink_(std::move(sink)) {}

  void Add(absl::string_view bytes);
  // The input is at its end. A last line without an end counts, if it has bytes.
  void Finish();

 private:
  void Keep(absl::string_view part);
  void EndLine();

  const size_t line_bytes_max_;
  const Sink sink_;
  std::string line_;
  bool too_long_ = false;
  uint64_t number_ = 1;
};

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_LINE_SPLITTER_H_
