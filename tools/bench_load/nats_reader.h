#ifndef GROUPCAST_TOOLS_BENCH_LOAD_NATS_READER_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_NATS_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace groupcast::bench {

// Cuts the bytes of a NATS server into operations. An operation is a line; for MSG the payload and
// another line end follow. Over WebSocket it is a stream too: a frame may hold many operations, and
// any part of one. Like FrameReader it hands out the beginning of each, in place where possible.
class NatsReader {
 public:
  // The maximum number of bytes of an operation that it hands out.
  static constexpr size_t kHeadBytes = 192;

  // Takes the next piece, and calls handler(std::string_view head) at the last byte of each
  // operation. The head is valid during the call. False: this is not NATS's protocol.
  template <typename Handler>
  bool Take(std::string_view piece, const Handler& handler) {
    while (!piece.empty()) {
      if (left_ > 0) {
        const size_t here = std::min<uint64_t>(left_, piece.size());
        Keep(piece.substr(0, here));
        piece.remove_prefix(here);
        left_ -= here;
        if (left_ == 0) HandOut(handler);
        continue;
      }
      const size_t end = piece.find('\n');
      if (end == std::string_view::npos) {
        Keep(piece);
        return true;
      }
      const size_t line_bytes = end + 1;
      if (head_have_ == 0) {
        // The usual case: the operation lies whole in the piece.
        const std::optional<uint64_t> more = BytesAfterLine(piece.substr(0, line_bytes));
        if (!more.has_value()) return false;
        if (*more <= piece.size() - line_bytes) {
          handler(piece.substr(0, std::min<size_t>(line_bytes + *more, kHeadBytes)));
          piece.remove_prefix(line_bytes + *more);
          continue;
        }
      }
      Keep(piece.substr(0, line_bytes));
      piece.remove_prefix(line_bytes);
      const std::optional<uint64_t> more = BytesAfterLine(std::string_view(head_, head_have_));
      if (!more.has_value()) return false;
      left_ = *more;
      if (left_ == 0) HandOut(handler);
    }
    return true;
  }

 private:
  // The bytes of the operation after its line. Nothing: the line begins like a MSG and is
  // malformed.
  static std::optional<uint64_t> BytesAfterLine(std::string_view line);

  void Keep(std::string_view part) {
    const size_t keep = std::min(part.size(), kHeadBytes - head_have_);
    std::memcpy(head_ + head_have_, part.data(), keep);
    head_have_ += keep;
  }

  template <typename Handler>
  void HandOut(const Handler& handler) {
    handler(std::string_view(head_, head_have_));
    head_have_ = 0;
  }

  uint64_t left_ = 0;  // after the line
  size_t head_have_ = 0;
  char head_[kHeadBytes];
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_NATS_READER_H_
