#ifndef GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_QUESTIONS_H_
#define GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_QUESTIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/clock.h"
#include "services/common/token_bucket.h"
#include "services/groups/control/control_message.h"

namespace groupcast::service {

struct ControlQuestionsOptions {
  // A question ends this time after it was published, whatever answers it has.
  absl::Duration timeout = absl::Seconds(2);
  // While the workers are not known, it waits for this time: a channel server that begins again
  // tells no members in its first 5 s, until the workers are back.
  absl::Duration workers_timeout = absl::Seconds(7);
  // The questions under way, or their callers if these are more. Further ones are refused.
  size_t questions_max = 64;
  // A question is a message that all workers get, and the channel keeps it for a while. It costs a
  // token for each 4 KiB, and at least one. Lists and ends have a rate each, so neither keeps the
  // other out. Over it, questions are refused.
  TokenRate rate = {.per_second = 10, .burst = 20};
  // Equal lists that are asked for within this time have one question, and share its answer.
  absl::Duration share_time = absl::Seconds(1);
};

// What all workers together have answered.
struct ControlResult {
  bool complete = true;  // all workers have answered
  GroupList list;        // of kGroups and kBusiest
  uint64_t count = 0;    // of kDisconnect and kExpel
};

// The questions of one worker to all: each goes to the channel, and ends when all workers that were
// there have answered, or with its time.
//
// Logic only. Not thread-safe.
class ControlQuestions {
 public:
  using Workers = std::set<uint64_t>;
  struct Parts {
    const Clock* clock;
    // The workers that live, without those that have ended. nullopt: they are not known now.
    std::function<std::optional<Workers>()> workers;
    // Hands the question to all workers. Returns the bytes of its message. `failed` gets the error,
    // if there is one, which may be at once.
    std::function<size_t(uint64_t number, const ControlCommand& command,
                         std::function<void(const absl::Status&)> failed)>
        publish;
    // The bytes of the groups that a message can carry, as ListedBytes counts.
    std::function<size_t()> list_bytes_max;
  };
  // kUnavailable: nothing was done. kUnknown: some workers may have done it. kAborted: a worker was
  // asked for too much of late.
  using Done = std::function<void(absl::StatusOr<ControlResult>)>;

  ControlQuestions(const ControlQuestionsOptions& options, Parts parts)
      : options_(options), parts_(std::move(parts)) {}

  // Asks. `done` is called once, unless the caller is dropped before: later, or now if an equal
  // list has its answer already. Returns the caller's handle. kUnavailable: there are too many
  // questions. kAborted: they come too fast.
  absl::StatusOr<uint64_t> Ask(ControlCommand command, Done done);
  // The caller does not wait for the result any more. The workers may do what they were asked for.
  // The question ends as if its caller were there: who leaves early may not ask more.
  void Drop(uint64_t handle);

  void OnAnswer(ControlAnswer answer);
  // To be called on each tick, and when the workers have become known.
  void OnTick();
  // Fails all questions.
  void FailAll(const absl::Status& why);

  size_t size() const { return questions_.size(); }
  // The questions that were refused, here or by a worker, because there were too many of late.
  uint64_t limited() const { return limited_; }

 private:
  struct Question {
    ControlCommand command;
    std::map<uint64_t, Done> callers;  // by handle
    absl::Time asked_at;
    uint64_t number = 0;  // of its message; 0: not published yet
    Workers waits_for;
    std::vector<ControlAnswer> answers;
    bool is_partial = false;  // a worker has not done it, or did not answer in time
    bool is_busy = false;     // a worker has not done it because it is asked for too much
    // Of kBusiest: the groups, whose members all workers are asked for.
    std::optional<GroupList> busiest;
  };
  using Questions = std::map<uint64_t, Question>;  // by their own numbers

  // A list that was answered of late.
  struct Known {
    ControlCommand command;
    absl::Time asked_at;
    ControlResult result;
  };

  bool IsShared(absl::Time asked_at) const {
    return parts_.clock->Now() - asked_at < options_.share_time;
  }
  // The equal list whose answer is shared, known or under way. Null: there is none.
  const ControlResult* FindKnown(const ControlCommand& command) const;
  Question* FindEqual(const ControlCommand& command);
  size_t slots() const;
  TokenBucket& BucketOf(const ControlCommand& command);

  // False: the workers are not known yet.
  bool Publish(uint64_t key);
  void OnPublishFailed(uint64_t number, const absl::Status& why);
  Questions::iterator FindNumber(uint64_t number);
  // All have answered, or the time is over.
  void Finish(Questions::iterator at);
  // The same for kBusiest. False: the question goes on, or has ended.
  bool FinishBusiest(Questions::iterator at, ControlResult* result);
  // Its callers get the result. The question stays.
  static void Tell(Question* question, const absl::StatusOr<ControlResult>& result);
  void End(Questions::iterator at, const absl::StatusOr<ControlResult>& result);

  const ControlQuestionsOptions options_;
  const Parts parts_;
  Questions questions_;
  std::vector<Known> known_;  // no more than the rate allows within share_time
  TokenBucket list_tokens_;
  TokenBucket end_tokens_;
  uint64_t last_key_ = 0;
  uint64_t last_handle_ = 0;
  uint64_t limited_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_QUESTIONS_H_
