#ifndef GROUPCAST_TOOLS_BENCH_LOAD_WEBSOCKET_FRAMES_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_WEBSOCKET_FRAMES_H_

// RFC 6455 for a client that must cost less than the server that it measures.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace groupcast::bench {

enum class Opcode : uint8_t { kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

// One whole frame, masked as a client's frame must be. All frames have the same mask: masks protect
// proxies, and there are none here. The server must undo it all the same.
void AppendClientFrame(Opcode opcode, std::string_view payload, std::string* out);

// One whole frame of a server.
void AppendServerFrame(Opcode opcode, std::string_view payload, std::string* out);

// Cuts the received bytes of one connection into frames, for pieces of any size. It hands out only
// the beginning of a payload, which is enough to recognise a message, and skips the rest. So it
// never assembles a payload, hands out a frame in place if a piece has it whole, and allocates
// nothing.
//
// It accepts whole messages only. A fragment, a masked frame or reserved bits are errors, because
// no server here may send them.
class FrameReader {
 public:
  // The maximum number of bytes of a payload that it hands out.
  static constexpr size_t kHeadBytes = 192;

  struct Payload {
    Opcode opcode;
    std::string_view head;  // valid during the call
    uint64_t bytes;         // of the whole payload
    bool is_deflated;       // it is one of permessage-deflate
  };

  // The connection has permessage-deflate: text may be compressed.
  void AllowDeflated() { allows_deflated_ = true; }

  // Takes the next piece, and calls handler(const Payload&) at the last byte of each frame. False:
  // a server may not send this frame, and the connection cannot be used any more.
  template <typename Handler>
  bool Take(std::string_view piece, const Handler& handler) {
    return Take(piece, handler, [](Opcode, std::string_view) {});
  }

  // The same. Before that it calls parts(Opcode, std::string_view) with every part of each payload
  // as it arrives: for servers that send payloads as pieces of a stream.
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
        handler(Payload{opcode_, piece.substr(0, std::min<size_t>(left_, kHeadBytes)), left_,
                        is_deflated_});
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
    handler(Payload{opcode_, std::string_view(head_, head_have_), bytes_, is_deflated_});
    return true;
  }

  uint64_t left_ = 0;   // of the payload
  uint64_t bytes_ = 0;  // of the payload in all
  size_t head_have_ = 0;
  size_t header_have_ = 0;
  bool in_payload_ = false;
  bool allows_deflated_ = false;
  bool is_deflated_ = false;
  Opcode opcode_ = Opcode::kText;
  char header_[kHeaderBytesMax];
  char head_[kHeadBytes];
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_WEBSOCKET_FRAMES_H_
