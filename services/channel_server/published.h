#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_PUBLISHED_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_PUBLISHED_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace groupcast::service {

// The newest value of one thread, for readers in other threads. There is no lock, so neither side
// ever waits.
//
// A value is stored word by word. A reader may get some words of one value and the other words of
// the next one, so `T` must be numbers of 8 bytes that mean something each by itself.
template <typename T>
class Published {
 public:
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(uint64_t) == 0);

  // Only one thread may call it.
  void Publish(const T& value) {
    Words words;
    std::memcpy(words.data(), &value, sizeof(value));
    for (size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_relaxed);
  }

  // Any thread may call it. Before the first Publish all words are zero.
  T Read() const {
    Words words;
    for (size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_relaxed);
    T value;
    std::memcpy(&value, words.data(), sizeof(value));
    return value;
  }

 private:
  static constexpr size_t kWords = sizeof(T) / sizeof(uint64_t);
  using Words = std::array<uint64_t, kWords>;

  static_assert(std::atomic<uint64_t>::is_always_lock_free);
  std::array<std::atomic<uint64_t>, kWords> words_{};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_PUBLISHED_H_
