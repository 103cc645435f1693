#ifndef GROUPCAST_SERVICES_CHANNEL_WINDOW_H_
#define GROUPCAST_SERVICES_CHANNEL_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"

namespace groupcast::service {

struct WindowOptions {
  // The bound of the bytes that all publications without an answer use: their frames, and 128 bytes
  // of bookkeeping for each. The publications of one command always fit into an empty window.
  size_t bytes_max = 64u << 20;

  // The longest time that a publication waits for its answer. After it, the window gives the
  // publication up. The result is kUnavailable if the publication was never sent, else kUnknown. If
  // the window must send its number again, it sends a void. The time must be well below the two
  // minutes for which the server remembers keys.
  absl::Duration wait_max = absl::Seconds(30);
};

// A publisher's publications that have no result yet, in the order of their numbers. A publication
// gets its number when it is sent first. The window sends publications again on each new publish
// link, until the server sends their results. The server takes the numbers in order, and each
// number once.
//
// Logic only: no IO, and the caller gives it the time. Not thread-safe.
class Window {
 public:
  // An answer for the caller to give, outside of the window's methods.
  struct Answer {
    Channel::PublishCallback done;
    absl::StatusOr<Position> result;
  };
  using Answers = std::vector<Answer>;

  explicit Window(const WindowOptions& options) : options_(options) {}

  // The most that publications of this size use.
  static size_t CostOf(const PublicationsSize& size);
  bool HasRoomFor(size_t cost) const {
    return entries_.empty() || bytes_ + cost <= options_.bytes_max;
  }

  // `frame` is a whole publication without a number.
  void Add(std::string frame, size_t group_id_bytes, Channel::PublishCallback done, absl::Time now);

  // Sends all publications that were not sent since the last call of SendAgain.
  void Send(const std::function<void(absl::string_view frame)>& send);

  // All publications now count as not sent, because their link may have lost them.
  void SendAgain() { sent_ = 0; }

  // The server does not know this publisher any more. It may have taken publications that were sent
  // before. If it now refuses such a publication as kUnavailable, the result is kUnknown.
  void DoubtSent();

  // The server's results for publications.
  void OnResults(const channel::v1::Acknowledgement& results, Answers* answers);

  // The server has accepted all publications up to `number`. A publication up to `number` without a
  // result will not get one. A number above the window's own is of a stranger that has used the
  // publisher's id: the window goes on after it.
  void OnAccepted(uint64_t number, Answers* answers);

  // Gives up the publications that have waited for longer than wait_max.
  void Expire(absl::Time now, Answers* answers);

  // The server takes no larger message than `message_bytes_max` any more. Gives up those that are
  // larger: a server that they reached would end the connection. The result is kResourceExhausted,
  // but kUnknown if an earlier server may have taken the publication.
  void GiveUpLarger(size_t message_bytes_max, Answers* answers);

  // The number that a hello names: the number of the oldest publication without a result, or the
  // next number.
  uint64_t first_unacknowledged() const { return first_number_; }
  // Whether a publication was sent and has no result yet.
  bool awaits_results() const { return sent_ > 0; }
  size_t count() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string frame;
    size_t group_id_bytes;
    Channel::PublishCallback done;  // empty after the answer
    absl::Time deadline;
    bool in_doubt = false;
    bool resolved = false;  // the server has sent its result
  };

  void Resolve(uint64_t number, absl::StatusOr<Position> result, Answers* answers);
  void MakeVoid(Entry* entry);
  size_t Cost(const Entry& entry) const;

  const WindowOptions options_;
  // The first `numbered_` entries have the numbers from first_number_ on. The first `sent_` of
  // these were sent on the present link. Of the first `expired_`, the window has given up those
  // without a result.
  std::deque<Entry> entries_;
  uint64_t first_number_ = 1;
  size_t numbered_ = 0;
  size_t sent_ = 0;
  size_t expired_ = 0;
  size_t bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_WINDOW_H_
