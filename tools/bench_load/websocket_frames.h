#ifndef GROUPCAST_TOOLS_BENCH_LOAD_WEBSOCKET_FRAMES_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_WEBSOCKET_FRAMES_H_

// RFC 6455 from the side of a client that must cost less than the server it measures.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace groupcast::bench {

enum class Opcode : uint8_t { kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

// One whole frame, masked as a client's must be. All have the same mask: it is there for proxies on
// the way, and there are none here; the server has to undo it all the same.
void AppendClientFrame(Opcode opcode, std::string_view payload, std::string* out);

// One whole frame as a server makes it.
void AppendServerFrame(Opcode opcode, std::string_view payload, std::string* out);

// Cuts what one connection receives into frames, wherever the pieces that are read begin and end.
// Of a payload it hands out the beginning only, which is all that is needed to recognise a message;
// the rest is counted past. So no payload is ever put together, a frame that lies whole in a piece
// is handed out in place, and nothing is allocated.
//
// It takes whole messages: a frame that is only a part of one, or that is masked or has reserved
// bits, is an error, as no server here is asked for that.
class FrameReader {
 public:
  // How much of a payload is handed out at most.
  static constexpr size_t kHeadBytes = 192;

  struct Payload {
    Opcode opcode;
    std::string_view head;  // valid during the call
    uint64_t bytes;         // of the whole payload
  };

  // Takes the next piece, and calls handler(const Payload&) at the last byte of each frame. False:
  // this is not a frame that a server may send, and the connection is of no use any more.
  template <typename Handler>
  bool Take(std::string_view piece, const Handler& handler) {
    return Take(piece, handler, [](Opcode, std::string_view) {});
  }

  // The same. Before that it calls parts(Opcode, std::string_view) with every part of each payload,
  // as it comes: for servers whose payloads are pieces of a stream.
  template <typename Handler, typename Parts>
  bool Take(std::string_view piece, const Handler& handler, const Parts& parts) {
    while (!piece.empty()) {
      if (in_payload_) {
        if (!TakePayload(&piece, handler, parts)) return true;
        continue;
      }
      if (header_have_ == 0 && piece.size() >= kHeaderBytesMax) {
        // The usual case: the header lies whole in the piece.
        size_t used = 0;
        if (!ReadHeader(piece.data(), piece.size(), &used)) return false;
        piece.remove_prefix(used);
      } else {
        header_[header_have_++] = piece.front();
        piece.remove_prefix(1);
        size_t used = 0;
        if (!ReadHeader(header_, header_have_, &used)) return false;
        if (used == 0) continue;  // not whole yet
      }
      header_have_ = 0;
      if (left_ <= piece.size()) {
        parts(opcode_, piece.substr(0, left_));
        handler(Payload{opcode_, piece.substr(0, std::min<size_t>(left_, kHeadBytes)), left_});
        piece.remove_prefix(left_);
        continue;
      }
      in_payload_ = true;
      bytes_ = left_;
      head_have_ = 0;
    }
    return true;
  }

 private:
  static constexpr size_t kHeaderBytesMax = 10;

  // Reads a header into opcode_ and left_. `*used` is 0 if it is not whole.
  bool ReadHeader(const char* data, size_t size, size_t* used);

  // Of a payload that lies in several pieces. False: it goes on in the next one.
  template <typename Handler, typename Parts>
  bool TakePayload(std::string_view* piece, const Handler& handler, const Parts& parts) {
    const size_t here = std::min<uint64_t>(left_, piece->size());
    parts(opcode_, piece->substr(0, here));
    const size_t keep = std::min(here, kHeadBytes - head_have_);
    std::memcpy(head_ + head_have_, piece->data(), keep);
    head_have_ += keep;
    left_ -= here;
    piece->remove_prefix(here);
    if (left_ > 0) return false;
    in_payload_ = false;
    handler(Payload{opcode_, std::string_view(head_, head_have_), bytes_});
    return true;
  }

  uint64_t left_ = 0;   // of the payload
  uint64_t bytes_ = 0;  // of the payload in all
  size_t head_have_ = 0;
  size_t header_have_ = 0;
  bool in_payload_ = false;
  Opcode opcode_ = Opcode::kText;
  char header_[kHeaderBytesMax];
  char head_[kHeadBytes];
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_WEBSOCKET_FRAMES_H_
