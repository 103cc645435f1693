#include "services/groups/control/control_questions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

using Kind = ControlCommand::Kind;

bool ChangesSomething(const ControlCommand& command) {
  return command.kind == Kind::kDisconnect || command.kind == Kind::kExpel;
}

std::vector<GroupList> ListsOf(const std::vector<ControlAnswer>& answers) {
  std::vector<GroupList> lists;
  lists.reserve(answers.size());
  for (const ControlAnswer& answer : answers) lists.push_back(answer.list);
  return lists;
}

// The busiest groups with the members that all workers have counted. A group without members has
// ended meanwhile.
GroupList WithMembers(GroupList busiest, const std::vector<ControlAnswer>& answers) {
  std::map<std::string, uint64_t> members;
  for (const ControlAnswer& answer : answers) {
    for (const ListedGroup& group : answer.list.groups) members[group.id] += group.members;
  }
  for (ListedGroup& group : busiest.groups) group.members = members[group.id];
  busiest.groups.erase(std::remove_if(busiest.groups.begin(), busiest.groups.end(),
                                      [](const ListedGroup& group) { return group.members == 0; }),
                       busiest.groups.end());
  return busiest;
}

}  // namespace

absl::StatusOr<uint64_t> ControlQuestions::Ask(ControlCommand command, Done done) {
  if (questions_.size() >= options_.questions_max) {
    return absl::UnavailableError(
        absl::StrCat(options_.questions_max, " questions to all workers are under way"));
  }
  const uint64_t handle = ++last_handle_;
  Question& question = questions_[handle];
  question.command = std::move(command);
  question.done = std::move(done);
  question.deadline = parts_.clock->Now() + options_.timeout;
  Publish(&question);
  return handle;
}

void ControlQuestions::Drop(uint64_t handle) { questions_.erase(handle); }

bool ControlQuestions::Publish(Question* question) {
  std::optional<Workers> workers = parts_.workers();
  if (!workers.has_value()) return false;
  question->waits_for = *std::move(workers);
  question->answers.clear();
  question->number = RandomId();
  ControlCommand command = question->command;
  if (question->busiest.has_value()) {
    command = {.kind = Kind::kCount};
    for (const ListedGroup& group : question->busiest->groups) command.groups.push_back(group.id);
  }
  const uint64_t number = question->number;
  parts_.publish(number, command,
                 [this, number](const absl::Status& why) { OnPublishFailed(number, why); });
  return true;
}

ControlQuestions::Questions::iterator ControlQuestions::FindNumber(uint64_t number) {
  return std::find_if(questions_.begin(), questions_.end(),
                      [&](const auto& entry) { return entry.second.number == number; });
}

void ControlQuestions::OnPublishFailed(uint64_t number, const absl::Status& why) {
  const auto at = FindNumber(number);
  if (at != questions_.end()) End(at, why);
}

void ControlQuestions::OnAnswer(ControlAnswer answer) {
  const auto at = FindNumber(answer.question);
  if (at == questions_.end()) return;  // its time was over
  Question& question = at->second;
  const auto has_answered = [&](const ControlAnswer& earlier) {
    return earlier.worker == answer.worker;
  };
  if (std::any_of(question.answers.begin(), question.answers.end(), has_answered)) return;
  if (answer.outcome == ControlAnswer::Outcome::kBusy) {
    return End(at, absl::AbortedError("the workers are asked for too many lists"));
  }
  question.is_partial |= answer.outcome == ControlAnswer::Outcome::kUnknown;
  question.waits_for.erase(answer.worker);
  question.answers.push_back(std::move(answer));
  if (question.waits_for.empty()) Finish(at);
}

void ControlQuestions::OnTick() {
  const absl::Time now = parts_.clock->Now();
  const std::optional<Workers> workers = parts_.workers();
  std::vector<uint64_t> handles;
  for (const auto& [handle, question] : questions_) handles.push_back(handle);
  for (const uint64_t handle : handles) {
    const auto at = questions_.find(handle);
    if (at == questions_.end()) continue;
    Question& question = at->second;
    const bool is_late = question.deadline <= now;
    if (question.number == 0) {
      if (Publish(&question) || !is_late) continue;
      End(at, absl::UnavailableError("the channel did not tell the workers in time"));
      continue;
    }
    if (workers.has_value()) {
      // Those that have ended took their members with them.
      Workers left;
      std::set_intersection(question.waits_for.begin(), question.waits_for.end(), workers->begin(),
                            workers->end(), std::inserter(left, left.end()));
      question.waits_for = std::move(left);
    }
    if (question.waits_for.empty() || is_late) Finish(at);
  }
}

void ControlQuestions::Finish(Questions::iterator at) {
  Question& question = at->second;
  if (question.answers.empty() && !question.waits_for.empty()) {
    constexpr absl::string_view kWhy = "no worker has answered in time";
    return End(at, ChangesSomething(question.command) ? absl::UnknownError(kWhy)
                                                      : absl::UnavailableError(kWhy));
  }
  question.is_partial |= !question.waits_for.empty();
  ControlResult result;
  switch (question.command.kind) {
    case Kind::kGroups:
      result.list = MergeGroups(ListsOf(question.answers), question.command.limit);
      break;
    case Kind::kBusiest:
      if (!question.busiest.has_value()) {
        question.busiest = MergeBusiest(ListsOf(question.answers), question.command.limit);
        if (!question.busiest->groups.empty()) {
          question.number = 0;
          if (!Publish(&question)) {
            End(at, absl::UnavailableError("the workers are not known now"));
          }
          return;
        }
      }
      result.list = WithMembers(*std::move(question.busiest), question.answers);
      break;
    case Kind::kCount:
      result.list = MergeGroups(ListsOf(question.answers), kListedGroupsMax);
      break;
    case Kind::kDisconnect:
    case Kind::kExpel:
      for (const ControlAnswer& answer : question.answers) result.count += answer.count;
      break;
  }
  result.complete = !question.is_partial;
  End(at, std::move(result));
}

void ControlQuestions::End(Questions::iterator at, absl::StatusOr<ControlResult> result) {
  const Done done = std::move(at->second.done);
  questions_.erase(at);
  done(std::move(result));
}

void ControlQuestions::FailAll(const absl::Status& why) {
  while (!questions_.empty()) End(questions_.begin(), why);
}

}  // namespace groupcast::service
