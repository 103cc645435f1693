#include "services/common/shared_bytes.h"

#include <algorithm>
#include <new>

namespace groupcast::service {

namespace {

// A block's place is freed by the thread that made it.
constinit thread_local int64_t live_bytes_of_thread = 0;

}  // namespace

int64_t SharedBytes::live_bytes() { return live_bytes_of_thread; }

SharedBytes SharedBytes::Make(size_t size, absl::FunctionRef<void(char*)> write) {
  SharedBytes made;
  made.block_ = static_cast<Block*>(::operator new(sizeof(Block) + size));
  made.block_->references = 1;
  made.block_->size = static_cast<uint32_t>(size);
  live_bytes_of_thread += static_cast<int64_t>(sizeof(Block) + size);
  write(reinterpret_cast<char*>(made.block_ + 1));
  return made;
}

SharedBytes SharedBytes::Join(std::initializer_list<absl::string_view> parts) {
  size_t size = 0;
  for (const absl::string_view part : parts) size += part.size();
  return Make(size, [&](char* to) {
    for (const absl::string_view part : parts) to = std::copy(part.begin(), part.end(), to);
  });
}

void SharedBytes::Free(Block* block) {
  live_bytes_of_thread -= static_cast<int64_t>(sizeof(Block) + block->size);
  ::operator delete(block);
}

}  // namespace groupcast::service
