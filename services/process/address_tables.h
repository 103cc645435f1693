#ifndef GROUPCAST_SERVICES_PROCESS_ADDRESS_TABLES_H_
#define GROUPCAST_SERVICES_PROCESS_ADDRESS_TABLES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"

namespace groupcast::service {

// The numbers of connections by address, of all workers of a pool, in memory that they share. Each
// worker has a table of its own and is its only writer. All may read all tables, so a limit for an
// address counts its connections to every worker.
//
// An address is any number but 0. Each table uses open addressing with linear probing, and a
// removal moves later entries back, so it has no tombstones. A random seed places the entries, so
// nobody can choose addresses that meet. Pages that no entry has touched take no memory.
class AddressTables {
 public:
  // The addresses that one table can hold, with room for short searches.
  static constexpr size_t kAddressesMax = 114'688;

  // Maps `tables` tables. Call it before the fork. `capacity` is a power of two, for tests.
  static absl::StatusOr<std::unique_ptr<AddressTables>> Create(int tables,
                                                               size_t capacity = size_t{1} << 17);
  ~AddressTables();
  AddressTables(const AddressTables&) = delete;
  AddressTables& operator=(const AddressTables&) = delete;

  // Counts one more connection of `address` in `table`, unless all tables together have `max`
  // already. Returns whether it was counted. Two workers that count the last one at the same moment
  // may both be refused, but never both be let in.
  // Only the table's worker may call it. The table must have room: at most kAddressesMax addresses.
  bool AddBelow(uint32_t max, uint64_t address, int table);

  // One connection less, which AddBelow has counted. Only the table's worker may call it.
  void Remove(uint64_t address, int table);

  // The connections of `address` in all tables. Any worker may call it.
  uint64_t Count(uint64_t address) const;

  // Empties the table of a worker that has ended. The supervisor calls it.
  void Clear(int table);

 private:
  struct Entry {
    std::atomic<uint64_t> address;  // 0: the entry is free
    std::atomic<uint64_t> connections;
  };
  // The entries follow it.
  struct Header {
    // Odd while the writer changes the table. A reader reads again if it has changed.
    std::atomic<uint64_t> version;
    std::atomic<uint64_t> used;  // entries; 0: readers need not look
  };
  class Change;

  AddressTables(char* memory, size_t table_bytes, int tables, size_t capacity);
  Header* header(int table) const;
  Entry* entries(int table) const;
  size_t Place(uint64_t address) const;
  // The entry of `address`, or the free one where it belongs.
  Entry* Find(uint64_t address, Entry* entries) const;
  uint64_t CountIn(uint64_t address, int table) const;
  void Erase(size_t place, Entry* entries);

  char* const memory_;
  const size_t table_bytes_;  // whole pages
  const int tables_;
  const size_t mask_;
  const uint64_t seed_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_ADDRESS_TABLES_H_
