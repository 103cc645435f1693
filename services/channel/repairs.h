#ifndef GROUPCAST_SERVICES_CHANNEL_REPAIRS_H_
#define GROUPCAST_SERVICES_CHANNEL_REPAIRS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/position.h"
#include "services/common/clock.h"

namespace groupcast::service {

// The methods of an engine that Repairs calls.
class RepairLink {
 public:
  // Whether the engine can ask for history now. While it cannot, nothing is queued.
  virtual bool CanAsk() const = 0;
  // The position after which the group's repair begins. Nullopt: there is nothing to repair.
  virtual std::optional<Position> RepairFrom(absl::string_view group_id) = 0;
  // Asks for the history of a group. The arguments are those of Channel::FetchHistory. False: the
  // engine cannot send the question now.
  virtual bool AskHistory(uint64_t request, absl::string_view group_id, const Position& after,
                          uint32_t newest) = 0;

 protected:
  ~RepairLink() = default;
};

struct RepairsOptions {
  // After this time without an answer, a repair is asked for again. Any other question fails.
  absl::Duration answer_timeout = absl::Seconds(5);

  // The bound of the repairs that wait for an answer at the same time, because an answer may be
  // large. The others wait in a queue.
  size_t asked_max = 16;
};

// The questions for history that an engine has under way: the repairs of its feeds, and the
// questions of its users. A group has at most one repair. It is in the queue or waits for its
// answer.
//
// The engine calls Take for each answer, and Tick about every 50 ms. After the loss of its
// connection the engine calls Reset.
//
// Bounds: the queue has at most one entry for each group that is behind. Users' questions have no
// bound here; each ends with its answer, its timeout or the connection.
//
// Logic only: no IO, and no code of any engine. Not thread-safe. The same calls at the same times
// have the same effects. `clock` and `link` must outlive it.
class Repairs {
 public:
  Repairs(const RepairsOptions& options, const Clock* clock, RepairLink* link);
  Repairs(const Repairs&) = delete;
  Repairs& operator=(const Repairs&) = delete;

  // The group needs a repair. No effect if its repair is in the queue or waits for an answer. No
  // effect either while the engine cannot ask: it finds the group again when it is connected.
  void Queue(absl::string_view group_id);

  // The worker left the group. Take returns nullopt for an answer that is under way.
  void Forget(absl::string_view group_id);

  // See Channel::FetchHistory. GiveAnswers calls `done` with an error, or the engine calls it with
  // the answer.
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    Channel::HistoryCallback done);

  // The purpose of an answer: a repair of `group_id` if `done` is empty, else a user's question.
  struct Question {
    std::string group_id;
    bool newest = false;  // the newest messages, not the oldest
    Channel::HistoryCallback done;
  };
  // Ends a question. Nullopt: no question waits for this answer. When the engine has processed the
  // answer, it calls SendQueued.
  std::optional<Question> Take(uint64_t request);

  // Asks for the queued repairs, within the limits of asked_max and the link.
  void SendQueued();

  // The connection is lost. The questions of users fail. Repairs are dropped.
  void Reset();

  // Ends the questions that have passed their deadline, and asks for the queued repairs. It costs
  // time only for questions that are due.
  void Tick();

  // Calls the callbacks with errors that are due. Returns whether there were any.
  bool GiveAnswers();

  size_t queued() const { return queue_.size(); }
  // The number of repairs that were asked for since the start.
  uint64_t count() const { return count_; }

 private:
  struct Request {
    Question question;
    absl::Time deadline;
  };

  void Fail(Channel::HistoryCallback done, absl::string_view why);

  const RepairsOptions options_;
  const Clock* const clock_;
  RepairLink* const link_;
  uint64_t count_ = 0;
  uint64_t next_request_ = 1;
  // In the order of their numbers, which is the order of their deadlines.
  std::map<uint64_t, Request> requests_;
  size_t asked_ = 0;               // repairs in requests_
  std::deque<std::string> queue_;  // may contain groups that were forgotten
  // The repair of each group: the number of its request, or 0 while it is queued.
  absl::flat_hash_map<std::string, uint64_t> wanted_;
  std::vector<std::function<void()>> due_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_REPAIRS_H_
