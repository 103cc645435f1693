#include "services/process/address_tables.h"

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
class AddressTables::Change {
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

absl::StatusOr<std::unique_ptr<AddressTables>> AddressTables::Create(int tables, size_t capacity) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (sizeof(Header) + capacity * sizeof(Entry) + page - 1) / page * page;
  void* const memory = mmap(nullptr, bytes * static_cast<size_t>(tables), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return ErrnoStatus("mmap");
  return std::unique_ptr<AddressTables>(
      new AddressTables(static_cast<char*>(memory), bytes, tables, capacity));
}

AddressTables::AddressTables(char* memory, size_t table_bytes, int tables, size_t capacity)
    : memory_(memory),
      table_bytes_(table_bytes),
      tables_(tables),
      mask_(capacity - 1),
      seed_(RandomId()) {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
}

AddressTables::~AddressTables() { munmap(memory_, table_bytes_ * static_cast<size_t>(tables_)); }

AddressTables::Header* AddressTables::header(int table) const {
  return reinterpret_cast<Header*>(memory_ + static_cast<size_t>(table) * table_bytes_);
}

AddressTables::Entry* AddressTables::entries(int table) const {
  return reinterpret_cast<Entry*>(header(table) + 1);
}

size_t AddressTables::Place(uint64_t address) const {
  // The finalizer of MurmurHash3.
  uint64_t mixed = address ^ seed_;
  mixed = (mixed ^ mixed >> 33) * 0xff51afd7ed558ccd;
  mixed = (mixed ^ mixed >> 33) * 0xc4ceb9fe1a85ec53;
  return static_cast<size_t>(mixed ^ mixed >> 33) & mask_;
}

AddressTables::Entry* AddressTables::Find(uint64_t address, Entry* entries) const {
  size_t place = Place(address);
  // A reader may see a table in the middle of a change, so the search has an end in any case.
  for (size_t i = 0; i < mask_; ++i, place = (place + 1) & mask_) {
    const uint64_t there = entries[place].address.load(std::memory_order_acquire);
    if (there == address || there == 0) break;
  }
  return &entries[place];
}

bool AddressTables::AddBelow(uint32_t max, uint64_t address, int table) {
  Header* const head = header(table);
  {
    const Change change(head);
    Entry* const entry = Find(address, entries(table));
    const uint64_t before = entry->connections.load(std::memory_order_relaxed);
    entry->connections.store(before + 1, std::memory_order_relaxed);
    if (before == 0) {
      entry->address.store(address, std::memory_order_release);
      head->used.store(head->used.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }
  // Before the others are read: of two workers that add at the same moment, one sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (Count(address) <= max) return true;
  Remove(address, table);
  return false;
}

void AddressTables::Remove(uint64_t address, int table) {
  Header* const head = header(table);
  Entry* const first = entries(table);
  Entry* const entry = Find(address, first);
  const uint64_t before = entry->connections.load(std::memory_order_relaxed);
  if (before == 0) return;
  const Change change(head);
  entry->connections.store(before - 1, std::memory_order_relaxed);
  if (before > 1) return;
  Erase(static_cast<size_t>(entry - first), first);
  head->used.store(head->used.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

// Moves each later entry of the row into the gap, unless it would then stand before its place.
void AddressTables::Erase(size_t place, Entry* entries) {
  size_t gap = place;
  for (size_t next = (gap + 1) & mask_;; next = (next + 1) & mask_) {
    const uint64_t address = entries[next].address.load(std::memory_order_relaxed);
    if (address == 0) break;
    const size_t way = (next - Place(address)) & mask_;
    if (way < ((next - gap) & mask_)) continue;
    // In this order, a worker that dies in between leaves every other address with its number.
    entries[gap].connections.store(entries[next].connections.load(std::memory_order_relaxed),
                                   std::memory_order_relaxed);
    entries[gap].address.store(address, std::memory_order_release);
    gap = next;
  }
  entries[gap].address.store(0, std::memory_order_release);
  entries[gap].connections.store(0, std::memory_order_relaxed);
}

uint64_t AddressTables::CountIn(uint64_t address, int table) const {
  const Header* const head = header(table);
  if (head->used.load(std::memory_order_relaxed) == 0) return 0;
  uint64_t connections = 0;
  for (int i = 0; i < kTriesMax; ++i) {
    const uint64_t version = head->version.load(std::memory_order_acquire);
    const Entry* const entry = Find(address, entries(table));
    connections = entry->address.load(std::memory_order_relaxed) == address
                      ? entry->connections.load(std::memory_order_relaxed)
                      : 0;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (version % 2 == 0 && head->version.load(std::memory_order_relaxed) == version) break;
  }
  return connections;
}

uint64_t AddressTables::Count(uint64_t address) const {
  uint64_t sum = 0;
  for (int table = 0; table < tables_; ++table) sum += CountIn(address, table);
  return sum;
}

void AddressTables::Clear(int table) {
  if (header(table)->version.load(std::memory_order_relaxed) == 0) return;
  // Gives the pages back. What is read there afterwards is zero.
  if (madvise(header(table), table_bytes_, MADV_REMOVE) == 0) return;
  std::memset(static_cast<void*>(header(table)), 0, table_bytes_);
}

}  // namespace groupcast::service
