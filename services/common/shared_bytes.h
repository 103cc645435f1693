#ifndef GROUPCAST_SERVICES_COMMON_SHARED_BYTES_H_
#define GROUPCAST_SERVICES_COMMON_SHARED_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// A reference to immutable bytes. Copies of a reference share one block, and the last one frees it.
// So one message to a thousand connections is one block and a thousand references.
//
// The count of references is not atomic. A block belongs to one thread: its worker's.
class SharedBytes {
 public:
  // Null: no block.
  SharedBytes() = default;
  SharedBytes(const SharedBytes& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->references;
  }
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBytes() {
    if (block_ != nullptr && --block_->references == 0) Free(block_);
  }

  // Copies the parts into a new block, one after the other, with one allocation. Together they must
  // be below 4 GiB. The result is not null, even without any bytes.
  static SharedBytes Join(std::initializer_list<absl::string_view> parts);
  // A new block of `size` bytes, which `write` writes.
  static SharedBytes Make(size_t size, absl::FunctionRef<void(char*)> write);
  static SharedBytes Copy(absl::string_view bytes) { return Join({bytes}); }

  // The memory of all blocks of this thread. Each counts once, however many references it has.
  static int64_t live_bytes();

  // False: null.
  explicit operator bool() const { return block_ != nullptr; }

  // The caller must not call these on null. The view is valid until the block is freed.
  absl::string_view bytes() const {
    return {reinterpret_cast<const char*>(block_ + 1), block_->size};
  }
  size_t size() const { return block_->size; }
  // Whether there is another reference to the block.
  bool is_shared() const { return block_->references > 1; }

 private:
  // The bytes follow the block, in the same allocation.
  struct Block {
    uint32_t references;
    uint32_t size;
  };
  static void Free(Block* block);

  Block* block_ = nullptr;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_SHARED_BYTES_H_
