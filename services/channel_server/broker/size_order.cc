#include "services/channel_server/broker/size_order.h"

#include <algorithm>
#include <bit>

namespace groupcast::service {

// Four classes for each power of two, by the first three bits. A size below 8 has a class of its
// own.
size_t SizeOrder::ClassOf(size_t size) {
  const int shift = std::max(static_cast<int>(std::bit_width(size)), 3) - 3;
  return 4 * static_cast<size_t>(shift) + (size >> shift);
}

void SizeOrder::Resize(Item* item, size_t size) {
  item->size_ = size;
  const size_t size_class = ClassOf(size);
  if (size_class == item->size_class_) return;
  if (item->is_linked()) {
    Class& before = classes_[item->size_class_];
    before.erase(before.iterator_to(*item));
  }
  item->size_class_ = size_class;
  if (size_class == 0) return;
  classes_[size_class].push_back(*item);
  top_ = std::max(top_, size_class);
}

SizeOrder::Item* SizeOrder::LargestExcept(const Item* except) {
  while (top_ > 0 && classes_[top_].empty()) --top_;
  for (size_t size_class = top_; size_class > 0; --size_class) {
    for (Item& item : classes_[size_class]) {
      if (&item != except) return &item;
    }
  }
  return nullptr;
}

}  // namespace groupcast::service
