#include "services/common/shared_bytes.h"

#include <cstring>
#include <new>

namespace groupcast::service {

SharedBytes SharedBytes::Join(std::initializer_list<absl::string_view> parts) {
  size_t size = 0;
  for (const absl::string_view part : parts) size += part.size();
  SharedBytes joined;
  joined.block_ = static_cast<Block*>(::operator new(sizeof(Block) + size));
  joined.block_->references = 1;
  joined.block_->size = static_cast<uint32_t>(size);
  char* bytes = reinterpret_cast<char*>(joined.block_ + 1);
  for (const absl::string_view part : parts) {
    if (part.empty()) continue;
    std::memcpy(bytes, part.data(), part.size());
    bytes += part.size();
  }
  return joined;
}

void SharedBytes::Free(Block* block) { ::operator delete(block); }

}  // namespace groupcast::service
