#ifndef GROUPCAST_SERVICES_COMMON_LINE_WRITER_H_
#define GROUPCAST_SERVICES_COMMON_LINE_WRITER_H_

#include <sys/types.h>

#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "services/common/posix.h"

namespace groupcast::service {

// Writes lines to a descriptor that somebody else reads: a pipe, a terminal, a socket, a file. It
// never waits for the reader. It drops and counts a line that cannot be written at once, because
// the reader is slow, stopped or gone, or because the disk is full.
//
// It changes nothing of the descriptor, which other processes may share. So it opens a pipe or a
// terminal anew, without blocking. If that is not permitted, it asks poll(2) before each write.
// Then one risk is left: another process fills the pipe between the two calls. For unnamed pipes
// and Linux 6.4 or later, there is no such risk.
//
// A write to a closed pipe must not end the process: GuardStandardStreams.
//
// Not thread-safe, except for dropped_total. After a fork, parent and child may both go on. Each
// counts its own lines.
class LineWriter {
 public:
  // The most bytes of one line, and of one write. The kernel keeps such a write to a pipe in one
  // piece, so lines of several processes do not mix (pipe(7)).
  static constexpr size_t kLineBytesMax = PIPE_BUF;

  // The line, with its newline, that reports `count` dropped lines.
  using Notice = std::function<std::string(uint64_t count)>;

  // The caller keeps `fd` open. `notice` makes the line that precedes the first line after a loss.
  LineWriter(int fd, Notice notice);

  // Writes one or more lines, each with its newline. A longer line than kLineBytesMax is cut and
  // gets a mark. When a line is dropped, so are those after it in `lines`.
  void Write(absl::string_view lines);

  // The dropped lines that no notice has reported yet.
  uint64_t dropped() const { return dropped_; }
  // All dropped lines since the start. Any thread may call it.
  uint64_t dropped_total() const { return dropped_total_.load(std::memory_order_relaxed); }

 private:
  // Writes `lines` and returns the unwritten rest.
  absl::string_view WriteLines(absl::string_view lines);
  // As write(2), but without waiting.
  ssize_t WriteSome(absl::string_view text) const;

  const int fd_;
  const Notice notice_;
  Fd own_;  // the same pipe or terminal, opened anew; invalid: fd_ is used
  bool is_socket_ = false;
  bool may_wait_ = false;  // a write to fd_ may wait for a reader
  bool is_torn_ = false;   // the last write ended within a line
  uint64_t dropped_ = 0;
  std::atomic<uint64_t> dropped_total_{0};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_LINE_WRITER_H_
