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
  // What publications without an answer may take together: their frames, and 128 bytes of
  // bookkeeping for each. One alone always fits.
  size_t bytes_max = 64u << 20;

  // How long a publication waits for its answer. Then it is given up: it is kUnavailable if it was
  // never sent, else kUnknown, and goes out as void if it must be sent again. It must be well below
  // the two minutes for which the server remembers keys.
  absl::Duration wait_max = absl::Seconds(30);
};

// A publisher's publications that have no answer yet, in the order of their numbers. They are
// numbered when they are sent first, and are sent again on each new publish link until the server
// says what became of them: it takes numbers in order and each once.
//
// Logic only: no IO; time is handed in. Not thread-safe.
class Window {
 public:
  // An answer to be given, outside of the window's methods.
  struct Answer {
    Channel::PublishCallback done;
    absl::StatusOr<Position> result;
  };
  using Answers = std::vector<Answer>;

  explicit Window(const WindowOptions& options) : options_(options) {}

  bool has_room() const { return entries_.empty() || bytes_ < options_.bytes_max; }

  // `frame` is a whole publication without a number.
  void Add(std::string frame, size_t group_id_bytes, Channel::PublishCallback done, absl::Time now);

  // Sends all that was not sent since the last call of SendAgain.
  void Send(const std::function<void(absl::string_view frame)>& send);

  // From now on all count as not sent: the link on which they were may have lost them.
  void SendAgain() { sent_ = 0; }

  // The server does not know this publisher any more, so it may have done what was sent before. If
  // it now refuses such a publication as not done, the result is kUnknown.
  void DoubtSent();

  // What the server says became of publications.
  void OnResults(const channel::v1::Acknowledgement& results, Answers* answers);

  // The server has accepted all up to here; those without a result by now never get one.
  void OnAccepted(uint64_t number, Answers* answers);

  // Gives up those that have waited too long.
  void Expire(absl::Time now, Answers* answers);

  // The number that a hello names: that of the oldest publication without an answer, or the next.
  uint64_t first_unacknowledged() const { return first_number_; }
  // Whether any was sent and waits for the server's word.
  bool awaits_results() const { return sent_ > 0; }
  size_t count() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string frame;
    size_t group_id_bytes;
    Channel::PublishCallback done;  // empty once it was answered
    absl::Time deadline;
    bool in_doubt = false;
    bool resolved = false;  // the server's word is there
  };

  void Resolve(uint64_t number, absl::StatusOr<Position> result, Answers* answers);
  void MakeVoid(Entry* entry);
  size_t Cost(const Entry& entry) const;

  const WindowOptions options_;
  // The first `numbered_` have the numbers from first_number_ on; the first `sent_` of these were
  // sent on the present link, the first `expired_` were given up.
  std::deque<Entry> entries_;
  uint64_t first_number_ = 1;
  size_t numbered_ = 0;
  size_t sent_ = 0;
  size_t expired_ = 0;
  size_t bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_WINDOW_H_
