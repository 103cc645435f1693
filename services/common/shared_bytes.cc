#include "services/common/shared_bytes.h"

#include <cstring>
#include <new>

namespace groupcast::service {

SharedBytes SharedBytes::Join(absl::string_view head, absl::string_view body) {
  const size_t size = head.size() + body.size();
  SharedBytes joined;
  joined.block_ = static_cast<Block*>(::operator new(sizeof(Block) + size));
  joined.block_->references = 1;
  joined.block_->size = static_cast<uint32_t>(size);
  char* const bytes = reinterpret_cast<char*>(joined.block_ + 1);
  if (!head.empty()) std::memcpy(bytes, head.data(), head.size());
  if (!body.empty()) std::memcpy(bytes + head.size(), body.data(), body.size());
  return joined;
}

void SharedBytes::Free(Block* block) { ::operator delete(block); }

}  // namespace groupcast::service
