#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_SIZE_ORDER_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_SIZE_ORDER_H_

#include <array>
#include <cstddef>

#include "boost/intrusive/list.hpp"

namespace groupcast::service {

// Items in the order of their sizes, largest first, up to a quarter of the size: two items whose
// sizes differ by less may stand in either order. So a change of a size costs a few instructions,
// and most changes move nothing.
//
// Not thread-safe.
class SizeOrder {
 public:
  // A base of the items. An item may end only at size 0, or after the order.
  class Item : public boost::intrusive::list_base_hook<> {
   public:
    size_t size() const { return size_; }

   private:
    friend class SizeOrder;
    size_t size_ = 0;
    size_t size_class_ = 0;
  };

  SizeOrder() = default;
  SizeOrder(const SizeOrder&) = delete;
  SizeOrder& operator=(const SizeOrder&) = delete;

  // An item of size 0 is not in the order.
  void Resize(Item* item, size_t size);

  // The largest item that is not `except`. Null: there is none.
  Item* LargestExcept(const Item* except);

 private:
  using Class = boost::intrusive::list<Item, boost::intrusive::constant_time_size<false>>;

  static size_t ClassOf(size_t size);

  std::array<Class, 252> classes_;  // the first one, of size 0, is always empty
  size_t top_ = 0;                  // no higher class has an item
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_SIZE_ORDER_H_
