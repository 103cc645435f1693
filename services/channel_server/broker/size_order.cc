#include "services/channel_server/broker/size_order.h"

#include <algorithm>
#include <bit>

namespace groupcast::service {

SizeOrder::~SizeOrder() {
  for (auto& one : classes_) one.clear();
}

// Four classes for each power of two. Class 0 is for size 0 alone.
int SizeOrder::ClassOf(size_t size) {
  const int width = std::bit_width(size);
  const size_t quarter = width < 3 ? 0 : (size >> (width - 3)) & 3;
  return 4 * width + static_cast<int>(quarter);
}

void SizeOrder::Resize(Item* item, size_t size) {
  item->size_ = size;
  const int size_class = ClassOf(size);
  if (size_class == item->size_class_) return;
  if (item->size_class_ > 0) {
    auto& before = classes_[static_cast<size_t>(item->size_class_)];
    before.erase(before.iterator_to(*item));
  }
  item->size_class_ = size_class;
  if (size_class == 0) return;
  classes_[static_cast<size_t>(size_class)].push_back(*item);
  top_ = std::max(top_, size_class);
}

SizeOrder::Item* SizeOrder::LargestExcept(const Item* except) {
  while (top_ > 0 && classes_[static_cast<size_t>(top_)].empty()) --top_;
  for (int size_class = top_; size_class > 0; --size_class) {
    for (Item& item : classes_[static_cast<size_t>(size_class)]) {
      if (&item != except) return &item;
    }
  }
  return nullptr;
}

}  // namespace groupcast::service
