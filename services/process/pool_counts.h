#ifndef GROUPCAST_SERVICES_PROCESS_POOL_COUNTS_H_
#define GROUPCAST_SERVICES_PROCESS_POOL_COUNTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"

namespace groupcast::service {

// Counts by key, of all workers of a pool, in memory that they share: for example the connections
// of an address. Each worker has a table of its own and is its only writer. All may read all
// tables, so the count of a key is that of all workers together.
//
// A key is any number but 0. Each table uses open addressing with linear probing, and a removal
// moves later entries back, so it has no tombstones. A random seed places the entries, so nobody
// can choose keys that meet. Pages that no entry has touched take no memory.
class PoolCounts {
 public:
  // The keys that one table can hold, with room for short searches.
  static constexpr size_t kKeysMax = 114'688;

  // Maps `tables` tables. Call it before the fork. `capacity` is a power of two, for tests.
  static absl::StatusOr<std::unique_ptr<PoolCounts>> Create(int tables,
                                                            size_t capacity = size_t{1} << 17);
  ~PoolCounts();
  PoolCounts(const PoolCounts&) = delete;
  PoolCounts& operator=(const PoolCounts&) = delete;

  // Counts one more of `key` in `table`, unless all tables together have `max` already. Returns
  // whether it was counted. Two workers that count the last one at the same moment
  // may both be refused, but never both be let in.
  // Only the table's worker may call it. The table must have room: at most kKeysMax keys.
  bool AddBelow(uint32_t max, uint64_t key, int table);

  // One less, which AddBelow has counted. Only the table's worker may call it.
  void Remove(uint64_t key, int table);

  // The count of `key` in all tables. Any worker may call it.
  uint64_t Count(uint64_t key) const;

  // Empties the table of a worker that has ended. The supervisor calls it.
  void Clear(int table);

 private:
  struct Entry {
    std::atomic<uint64_t> key;  // 0: the entry is free
    std::atomic<uint64_t> count;
  };
  // The entries follow it.
  struct Header {
    // Odd while the writer changes the table. A reader reads again if it has changed.
    std::atomic<uint64_t> version;
    std::atomic<uint64_t> used;  // entries; 0: readers need not look
  };
  class Change;

  PoolCounts(char* memory, size_t table_bytes, int tables, size_t capacity);
  Header* header(int table) const;
  Entry* entries(int table) const;
  size_t Place(uint64_t key) const;
  // The entry of `key`, or the free one where it belongs.
  Entry* Find(uint64_t key, Entry* entries) const;
  uint64_t CountIn(uint64_t key, int table) const;
  void Erase(size_t place, Entry* entries);

  char* const memory_;
  const size_t table_bytes_;  // whole pages
  const int tables_;
  const size_t mask_;
  const uint64_t seed_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_POOL_COUNTS_H_
