#include "services/process/pool_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <thread>

#include "services/common/posix.h"

namespace groupcast::service {
namespace {

// How often a reader tries to see the memory without a change. The supervisor may have died within
// one; then so will the reader (PR_SET_PDEATHSIG).
constexpr int kTriesMax = 1'000;

constexpr size_t kAlignment = 64;

size_t Align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

// Readers of the memory read again when it is over.
class PoolMemory::Change {
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

size_t PoolMemory::SlotsAt(int places) {
  return Align(sizeof(Header)) + Align(static_cast<size_t>(places) * sizeof(SharedPlace));
}

absl::StatusOr<std::unique_ptr<PoolMemory>> PoolMemory::Create(int places, int slots) {
  const size_t bytes = SlotsAt(places) + static_cast<size_t>(slots) * sizeof(SharedSlot);
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return ErrnoStatus("mmap");
  return std::unique_ptr<PoolMemory>(
      new PoolMemory(static_cast<char*>(memory), bytes, places, slots));
}

PoolMemory::PoolMemory(char* memory, size_t bytes, int places, int slots)
    : memory_(memory),
      bytes_(bytes),
      place_count_(places),
      slot_count_(slots),
      header_(new (memory) Header()),
      places_(reinterpret_cast<SharedPlace*>(memory + Align(sizeof(Header)))),
      slots_(reinterpret_cast<SharedSlot*>(memory + SlotsAt(places))) {
  for (int place = 0; place < places; ++place) new (&places_[place]) SharedPlace();
  for (int slot = 0; slot < slots; ++slot) new (&slots_[slot]) SharedSlot();
}

PoolMemory::~PoolMemory() { munmap(memory_, bytes_); }

SharedSlot* PoolMemory::Reset(int slot, absl::Time now) {
  SharedSlot& shared = slots_[slot];
  shared.place = -1;
  shared.state = SharedSlot::State::kStarting;
  shared.waits = false;
  shared.heartbeat_ms = absl::ToUnixMillis(now);
  for (std::atomic<uint64_t>& counter : shared.counters) counter = 0;
  shared.SetFailure("");
  return &shared;
}

void PoolMemory::Begin(int slot, int place, pid_t pid) {
  const Change change(header_);
  slots_[slot].place.store(place, std::memory_order_relaxed);
  slots_[slot].pid.store(pid, std::memory_order_relaxed);
}

void PoolMemory::End(int slot, double cpu_seconds) {
  const Change change(header_);
  SharedSlot& shared = slots_[slot];
  SharedPlace& place = places_[shared.place.load(std::memory_order_relaxed)];
  for (size_t i = 0; i < SharedSlot::kCountersMax; ++i) {
    place.ended[i].fetch_add(shared.counters[i].load(std::memory_order_relaxed),
                             std::memory_order_relaxed);
  }
  place.ended_cpu_us.fetch_add(static_cast<uint64_t>(cpu_seconds * 1e6), std::memory_order_relaxed);
  shared.pid.store(0, std::memory_order_relaxed);
}

void PoolMemory::CountRestart(int place) {
  places_[place].restarts.fetch_add(1, std::memory_order_relaxed);
}

void PoolMemory::SetWaitsFor(absl::string_view waits_for) {
  const Change change(header_);
  const size_t size = std::min(waits_for.size(), kWaitsForMax);
  for (size_t i = 0; i < size; ++i) {
    header_->waits_for[i].store(waits_for[i], std::memory_order_relaxed);
  }
  header_->waits_for_size.store(size, std::memory_order_relaxed);
}

PoolMemory::Contents PoolMemory::Read() const {
  Contents contents;
  for (int i = 0; i < kTriesMax; ++i) {
    contents = Contents();
    contents.version = header_->version.load(std::memory_order_acquire);
    contents.places.resize(static_cast<size_t>(place_count_));
    for (int number = 0; number < place_count_; ++number) {
      Place& place = contents.places[static_cast<size_t>(number)];
      const SharedPlace& shared = places_[number];
      for (size_t counter = 0; counter < SharedSlot::kCountersMax; ++counter) {
        place.ended[counter] = shared.ended[counter].load(std::memory_order_relaxed);
      }
      place.ended_cpu_seconds =
          static_cast<double>(shared.ended_cpu_us.load(std::memory_order_relaxed)) / 1e6;
      place.restarts = shared.restarts.load(std::memory_order_relaxed);
    }
    for (int slot = 0; slot < slot_count_; ++slot) {
      const SharedSlot& shared = slots_[slot];
      const int place = shared.place.load(std::memory_order_relaxed);
      if (shared.pid.load(std::memory_order_relaxed) == 0) continue;
      if (place < 0 || place >= place_count_) continue;
      Process process = {
          .pid = shared.pid.load(std::memory_order_relaxed),
          .state = shared.state.load(std::memory_order_relaxed),
          .waits = shared.waits.load(std::memory_order_relaxed),
          .last_turn = absl::FromUnixMillis(shared.heartbeat_ms.load(std::memory_order_relaxed))};
      for (size_t counter = 0; counter < SharedSlot::kCountersMax; ++counter) {
        process.counters[counter] = shared.counters[counter].load(std::memory_order_relaxed);
      }
      contents.places[static_cast<size_t>(place)].processes.push_back(process);
    }
    contents.stopping = header_->stopping.load(std::memory_order_relaxed);
    contents.waits_for.resize(header_->waits_for_size.load(std::memory_order_relaxed));
    for (size_t i = 0; i < contents.waits_for.size(); ++i) {
      contents.waits_for[i] = header_->waits_for[i].load(std::memory_order_relaxed);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (contents.version % 2 == 0 &&
        header_->version.load(std::memory_order_relaxed) == contents.version) {
      break;
    }
    std::this_thread::yield();
  }
  return contents;
}

}  // namespace groupcast::service
