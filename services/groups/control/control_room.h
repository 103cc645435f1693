#ifndef GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_ROOM_H_
#define GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_ROOM_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/presence.h"
#include "services/common/clock.h"
#include "services/common/logging.h"
#include "services/common/token_bucket.h"
#include "services/groups/control/control_commands.h"
#include "services/groups/control/control_message.h"
#include "services/groups/control/control_questions.h"
#include "services/groups/control/recent_numbers.h"
#include "services/groups/group_presence.h"

namespace groupcast::service {

struct ControlOptions {
  // The program's name, for other workers. Empty: the worker has no part in control.
  std::string service;
  int worker = 0;     // its number, within its kind
  bool asks = false;  // it also asks the others
  ControlQuestionsOptions questions;
};

// A worker's part in control: the questions of one worker to all (docs/channel_wire.md). It is in
// the group of all workers by itself, without a connection: it is in no table of groups, counts
// nowhere as a member, and shows itself by presence. So those that ask know the workers that live.
//
// Who can publish on the channel can control the workers: there is no other check here.
//
// An answer is a message that the channel keeps for a while. So the worker has a rate of bytes for
// its lists. Over it, it only says that it is busy, and if it would say so too often, nothing.
//
// Not thread-safe.
class ControlRoom {
 public:
  // The bytes of lists. One list may exceed them.
  static constexpr TokenRate kListBytes = {.per_second = 64 << 10, .burst = 256 << 10};
  // Answers that say that nothing was done.
  static constexpr TokenRate kRefusals = {.per_second = 10, .burst = 20};

  // All must outlive it.
  ControlRoom(const ControlOptions& options, const ControlCommands::Parts& parts,
              GroupPresence* presence);

  // Joins the group of all workers. Null: the channel is gone. The channel must outlive it, or be
  // set to null.
  void SetChannel(Channel* channel);

  // The listener's calls, for groups that are in no table. Those of other groups have no effect.
  void OnSubscribed(absl::string_view group_id);
  void OnMessage(const Message& message);

  // To be called on each tick.
  void OnTick();

  // Asks all workers, as ControlQuestions. kUnavailable: this worker does not ask, or its channel
  // has no presence.
  absl::StatusOr<uint64_t> Ask(ControlCommand command, ControlQuestions::Done done);
  void Drop(uint64_t question) { questions_.Drop(question); }
  // Fails all questions, because the worker ends.
  void GiveUp(const absl::Status& why) { questions_.FailAll(why); }
  // As ControlQuestions.
  uint64_t limited() const { return questions_.limited(); }

 private:
  void RunQuestion(absl::string_view text);
  // Carries out the command. False: there is no answer.
  bool RunCommand(const ControlQuestion& question, ControlAnswer* answer);
  void PublishAnswer(const std::string& group_id, const ControlAnswer& answer);
  void Publish(const std::string& group_id, const std::string& text,
               std::function<void(const absl::Status&)> failed);
  std::optional<ControlQuestions::Workers> WorkersThatLive() const;
  void NoteMalformed(const absl::Status& why);
  size_t ListBytesMax() const;

  const ControlOptions options_;
  const Clock* const clock_;
  const Clock* const calendar_;
  GroupPresence* const presence_;
  const uint64_t self_;  // its id among the workers
  const std::string answers_;
  bool hears_answers_ = false;
  ControlCommands commands_;
  RecentNumbers ended_;  // the questions of ends that were carried out
  TokenBucket list_bytes_;
  TokenBucket refusals_;
  ControlQuestions questions_;
  Channel* channel_ = nullptr;
  absl::Time watched_until_ = absl::InfinitePast();  // the workers; InfinitePast: not watched
  LogLimit malformed_log_;
  LogLimit failed_log_;
  LogLimit action_log_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_ROOM_H_
