#include "services/process/pool_counts.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "services/common/posix.h"

namespace groupcast::service {
namespace {

// How often a reader tries to see a table without a change. A writer may have died within one;
// then the last number counts until the supervisor clears the table.
constexpr int kTriesMax = 1'000;

}  // namespace

// Readers of the table read again when it is over.
class PoolCounts::Change {
 public:
  explicit Change(Header* header) : header_(header) {
    Set(header_->version.load(std::memory_order_relaxed) + 1);
    std::atomic_thread_fence(std::memory_order_release);
  }
  ~Change() {
    std::atomic_thread_fence(std::memory_order_release);
    Set(header_->version.load(std::memory_order_relaxed) + 1);
  }

 private:
  void Set(uint64_t version) { header_->version.store(version, std::memory_order_relaxed); }

  Header* const header_;
};

absl::StatusOr<std::unique_ptr<PoolCounts>> PoolCounts::Create(int tables, size_t capacity) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (sizeof(Header) + capacity * sizeof(Entry) + page - 1) / page * page;
  void* const memory = mmap(nullptr, bytes * static_cast<size_t>(tables), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return ErrnoStatus("mmap");
  return std::unique_ptr<PoolCounts>(
      new PoolCounts(static_cast<char*>(memory), bytes, tables, capacity));
}

PoolCounts::PoolCounts(char* memory, size_t table_bytes, int tables, size_t capacity)
    : memory_(memory),
      table_bytes_(table_bytes),
      tables_(tables),
      mask_(capacity - 1),
      seed_(RandomId()) {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
}

PoolCounts::~PoolCounts() { munmap(memory_, table_bytes_ * static_cast<size_t>(tables_)); }

PoolCounts::Header* PoolCounts::header(int table) const {
  return reinterpret_cast<Header*>(memory_ + static_cast<size_t>(table) * table_bytes_);
}

PoolCounts::Entry* PoolCounts::entries(int table) const {
  return reinterpret_cast<Entry*>(header(table) + 1);
}

size_t PoolCounts::Place(uint64_t key) const {
  // The finalizer of MurmurHash3.
  uint64_t mixed = key ^ seed_;
  mixed = (mixed ^ mixed >> 33) * 0xff51afd7ed558ccd;
  mixed = (mixed ^ mixed >> 33) * 0xc4ceb9fe1a85ec53;
  return static_cast<size_t>(mixed ^ mixed >> 33) & mask_;
}

PoolCounts::Entry* PoolCounts::Find(uint64_t key, Entry* entries) const {
  size_t place = Place(key);
  // A reader may see a table in the middle of a change, so the search has an end in any case.
  for (size_t i = 0; i < mask_; ++i, place = (place + 1) & mask_) {
    const uint64_t there = entries[place].key.load(std::memory_order_acquire);
    if (there == key || there == 0) break;
  }
  return &entries[place];
}

bool PoolCounts::AddBelow(uint32_t max, uint64_t key, int table) {
  Header* const head = header(table);
  {
    const Change change(head);
    Entry* const entry = Find(key, entries(table));
    const uint64_t before = entry->count.load(std::memory_order_relaxed);
    entry->count.store(before + 1, std::memory_order_relaxed);
    if (before == 0) {
      entry->key.store(key, std::memory_order_release);
      head->used.store(head->used.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }
  // Before the others are read: of two workers that add at the same moment, one sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (Count(key) <= max) return true;
  Remove(key, table);
  return false;
}

void PoolCounts::Remove(uint64_t key, int table) {
  Header* const head = header(table);
  Entry* const first = entries(table);
  Entry* const entry = Find(key, first);
  const uint64_t before = entry->count.load(std::memory_order_relaxed);
  if (before == 0) return;
  const Change change(head);
  entry->count.store(before - 1, std::memory_order_relaxed);
  if (before > 1) return;
  Erase(static_cast<size_t>(entry - first), first);
  head->used.store(head->used.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

// Moves each later entry of the row into the gap, unless it would then stand before its place.
void PoolCounts::Erase(size_t place, Entry* entries) {
  size_t gap = place;
  for (size_t next = (gap + 1) & mask_;; next = (next + 1) & mask_) {
    const uint64_t key = entries[next].key.load(std::memory_order_relaxed);
    if (key == 0) break;
    const size_t way = (next - Place(key)) & mask_;
    if (way < ((next - gap) & mask_)) continue;
    // In this order, a worker that dies in between leaves every other key with its number.
    entries[gap].count.store(entries[next].count.load(std::memory_order_relaxed),
                             std::memory_order_relaxed);
    entries[gap].key.store(key, std::memory_order_release);
    gap = next;
  }
  entries[gap].key.store(0, std::memory_order_release);
  entries[gap].count.store(0, std::memory_order_relaxed);
}

uint64_t PoolCounts::CountIn(uint64_t key, int table) const {
  const Header* const head = header(table);
  if (head->used.load(std::memory_order_relaxed) == 0) return 0;
  uint64_t count = 0;
  for (int i = 0; i < kTriesMax; ++i) {
    const uint64_t version = head->version.load(std::memory_order_acquire);
    const Entry* const entry = Find(key, entries(table));
    count = entry->key.load(std::memory_order_relaxed) == key
                ? entry->count.load(std::memory_order_relaxed)
                : 0;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (version % 2 == 0 && head->version.load(std::memory_order_relaxed) == version) break;
  }
  return count;
}

uint64_t PoolCounts::Count(uint64_t key) const {
  uint64_t sum = 0;
  for (int table = 0; table < tables_; ++table) sum += CountIn(key, table);
  return sum;
}

void PoolCounts::Clear(int table) {
  if (header(table)->version.load(std::memory_order_relaxed) == 0) return;
  // Gives the pages back. What is read there afterwards is zero.
  if (madvise(header(table), table_bytes_, MADV_REMOVE) == 0) return;
  std::memset(static_cast<void*>(header(table)), 0, table_bytes_);
}

}  // namespace groupcast::service
