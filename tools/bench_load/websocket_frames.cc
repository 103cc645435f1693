#include "tools/bench_load/websocket_frames.h"

namespace groupcast::bench {
namespace {

constexpr uint8_t kFin = 0x80;
constexpr uint8_t kRsv1 = 0x40;
constexpr uint8_t kMaskBit = 0x80;
constexpr char kMask[] = {0x37, 0x5a, 0x21, 0x3d};

void AppendHeader(Opcode opcode, size_t payload_bytes, uint8_t mask_bit, std::string* out) {
  out->push_back(static_cast<char>(kFin | static_cast<uint8_t>(opcode)));
  int length_bytes = 0;
  if (payload_bytes < 126) {
    out->push_back(static_cast<char>(mask_bit | payload_bytes));
  } else if (payload_bytes <= 0xffff) {
    out->push_back(static_cast<char>(mask_bit | 126));
    length_bytes = 2;
  } else {
    out->push_back(static_cast<char>(mask_bit | 127));
    length_bytes = 8;
  }
  for (int i = length_bytes - 1; i >= 0; --i) {
    out->push_back(static_cast<char>(static_cast<uint64_t>(payload_bytes) >> (8 * i)));
  }
}

}  // namespace

void AppendClientFrame(Opcode opcode, std::string_view payload, std::string* out) {
  AppendHeader(opcode, payload.size(), kMaskBit, out);
  out->append(kMask, sizeof(kMask));
  const size_t begin = out->size();
  out->append(payload);
  char* data = out->data() + begin;
  for (size_t i = 0; i < payload.size(); ++i) data[i] ^= kMask[i % sizeof(kMask)];
}

void AppendServerFrame(Opcode opcode, std::string_view payload, std::string* out) {
  AppendHeader(opcode, payload.size(), 0, out);
  out->append(payload);
}

bool FrameReader::ReadHeader(const char* data, size_t size, size_t* used) {
  if (size < 2) return true;
  const auto first = static_cast<uint8_t>(data[0]);
  const auto second = static_cast<uint8_t>(data[1]);
  opcode_ = static_cast<Opcode>(first & 0x0f);
  const bool known = opcode_ == Opcode::kText || opcode_ == Opcode::kBinary ||
                     (opcode_ >= Opcode::kClose && opcode_ <= Opcode::kPong);
  is_deflated_ = allows_deflated_ && opcode_ == Opcode::kText && (first & kRsv1) != 0;
  const uint8_t bits = is_deflated_ ? kFin | kRsv1 : kFin;
  if ((first & 0xf0) != bits || (second & kMaskBit) != 0 || !known) return false;
  if (second < 126) {
    left_ = second;
    *used = 2;
    return true;
  }
  const size_t header_bytes = second == 126 ? 4 : 10;
  if (size < header_bytes) return true;
  left_ = 0;
  for (size_t i = 2; i < header_bytes; ++i) left_ = left_ << 8 | static_cast<uint8_t>(data[i]);
  *used = header_bytes;
  return true;
}

}  // namespace groupcast::bench
