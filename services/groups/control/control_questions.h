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
#include "services/groups/control/control_message.h"

namespace groupcast::service {

struct ControlQuestionsOptions {
  // A question ends after this time, whatever answers it has.
  absl::Duration timeout = absl::Seconds(2);
  // The questions under way. Further ones are refused.
  size_t questions_max = 64;
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
    // Hands the question to all workers. `failed` gets the error, if there is one.
    std::function<void(uint64_t number, const ControlCommand& command,
                       std::function<void(const absl::Status&)> failed)>
        publish;
  };
  // kUnavailable: nothing was done. kUnknown: some workers may have done it. kAborted: a worker was
  // asked for too much of late.
  using Done = std::function<void(absl::StatusOr<ControlResult>)>;

  ControlQuestions(const ControlQuestionsOptions& options, Parts parts)
      : options_(options), parts_(std::move(parts)) {}

  // Asks. `done` is called once and later, unless the question is dropped before. Returns the
  // question's handle. kUnavailable: there are too many questions.
  absl::StatusOr<uint64_t> Ask(ControlCommand command, Done done);
  // Nobody waits for the result any more. The workers may do what they were asked for.
  void Drop(uint64_t handle);

  void OnAnswer(ControlAnswer answer);
  // To be called on each tick, and when the workers have become known.
  void OnTick();
  // Fails all questions.
  void FailAll(const absl::Status& why);

  size_t size() const { return questions_.size(); }

 private:
  struct Question {
    ControlCommand command;
    Done done;
    absl::Time deadline;
    uint64_t number = 0;  // of its message; 0: not published yet
    Workers waits_for;
    std::vector<ControlAnswer> answers;
    bool is_partial = false;  // a worker does not know the command, or did not answer in time
    // Of kBusiest: the groups, whose members all workers are asked for.
    std::optional<GroupList> busiest;
  };
  using Questions = std::map<uint64_t, Question>;  // by handle

  // False: the workers are not known yet.
  bool Publish(Question* question);
  void OnPublishFailed(uint64_t number, const absl::Status& why);
  Questions::iterator FindNumber(uint64_t number);
  // All have answered, or the time is over.
  void Finish(Questions::iterator at);
  void End(Questions::iterator at, absl::StatusOr<ControlResult> result);

  const ControlQuestionsOptions options_;
  const Parts parts_;
  Questions questions_;
  uint64_t last_handle_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_QUESTIONS_H_
