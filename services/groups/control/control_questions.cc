#include "services/groups/control/control_questions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

using Kind = ControlCommand::Kind;

// The bytes of a question that cost as much as a whole one, which may be smaller.
constexpr double kBytesPerToken = 4'096;

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
  const absl::Time now = parts_.clock->Now();
  const bool is_list = !IsEnd(command);
  if (const ControlResult* const known = is_list ? FindKnown(command) : nullptr) {
    done(*known);
    return ++last_handle_;
  }
  if (slots() >= options_.questions_max) {
    return absl::UnavailableError(
        absl::StrCat(options_.questions_max, " questions to all workers are under way"));
  }
  const uint64_t handle = ++last_handle_;
  if (Question* const equal = is_list ? FindEqual(command) : nullptr) {
    equal->callers.emplace(handle, std::move(done));
    return handle;
  }
  if (BucketOf(command).Available(options_.rate, now) < 1) {
    ++limited_;
    return absl::AbortedError(absl::StrCat("more than ", options_.rate.per_second,
                                           " questions to all workers a second, after ",
                                           options_.rate.burst, " at once"));
  }
  const uint64_t key = ++last_key_;
  Question& question = questions_[key];
  question.command = std::move(command);
  question.callers.emplace(handle, std::move(done));
  question.asked_at = now;
  Publish(key);
  return handle;
}

const ControlResult* ControlQuestions::FindKnown(const ControlCommand& command) const {
  for (const Known& known : known_) {
    if (IsShared(known.asked_at) && known.command == command) return &known.result;
  }
  return nullptr;
}

ControlQuestions::Question* ControlQuestions::FindEqual(const ControlCommand& command) {
  for (auto& [key, question] : questions_) {
    if (IsShared(question.asked_at) && !question.is_busy && question.command == command) {
      return &question;
    }
  }
  return nullptr;
}

size_t ControlQuestions::slots() const {
  size_t slots = 0;
  for (const auto& [key, question] : questions_) {
    slots += std::max<size_t>(1, question.callers.size());
  }
  return slots;
}

TokenBucket& ControlQuestions::BucketOf(const ControlCommand& command) {
  return IsEnd(command) ? end_tokens_ : list_tokens_;
}

void ControlQuestions::Drop(uint64_t handle) {
  for (auto at = questions_.begin(); at != questions_.end(); ++at) {
    if (at->second.callers.erase(handle) == 0) continue;
    // Nobody was asked yet.
    if (at->second.callers.empty() && at->second.number == 0) questions_.erase(at);
    return;
  }
}

bool ControlQuestions::Publish(uint64_t key) {
  std::optional<Workers> workers = parts_.workers();
  if (!workers.has_value()) return false;
  Question& question = questions_.at(key);
  if (question.number == 0) question.asked_at = parts_.clock->Now();
  question.waits_for = *std::move(workers);
  question.answers.clear();
  question.number = RandomId();
  ControlCommand command = question.command;
  if (question.busiest.has_value()) {
    command = {.kind = Kind::kCount};
    for (const ListedGroup& group : question.busiest->groups) command.groups.push_back(group.id);
  }
  const uint64_t number = question.number;
  TokenBucket& tokens = BucketOf(command);
  // The question may have failed, and be gone, when this returns.
  const size_t bytes = parts_.publish(
      number, command, [this, number](const absl::Status& why) { OnPublishFailed(number, why); });
  tokens.Take(std::max(1.0, static_cast<double>(bytes) / kBytesPerToken), options_.rate,
              parts_.clock->Now());
  return true;
}

ControlQuestions::Questions::iterator ControlQuestions::FindNumber(uint64_t number) {
  return std::find_if(questions_.begin(), questions_.end(),
                      [&](const auto& entry) { return entry.second.number == number; });
}

void ControlQuestions::OnPublishFailed(uint64_t number, const absl::Status& why) {
  const auto at = FindNumber(number);
  if (at == questions_.end()) return;
  // The caller has sent no message that could be too large.
  End(at, absl::IsResourceExhausted(why)
              ? absl::UnavailableError("the channel's messages are too small for the question")
              : why);
}

void ControlQuestions::OnAnswer(ControlAnswer answer) {
  const auto at = FindNumber(answer.question);
  if (at == questions_.end()) return;  // its time was over
  Question& question = at->second;
  const auto has_answered = [&](const ControlAnswer& earlier) {
    return earlier.worker == answer.worker;
  };
  if (std::any_of(question.answers.begin(), question.answers.end(), has_answered)) return;
  if (answer.outcome == ControlAnswer::Outcome::kBusy && !std::exchange(question.is_busy, true)) {
    ++limited_;
    // A list would have no use. But the others still work on it, so the question stays.
    if (!IsEnd(question.command)) {
      Tell(&question, absl::AbortedError("the workers are asked for too many lists"));
    }
  }
  question.is_partial |= answer.outcome != ControlAnswer::Outcome::kDone;
  question.waits_for.erase(answer.worker);
  question.answers.push_back(std::move(answer));
  if (question.waits_for.empty()) Finish(at);
}

void ControlQuestions::OnTick() {
  const absl::Time now = parts_.clock->Now();
  std::erase_if(known_, [this](const Known& known) { return !IsShared(known.asked_at); });
  const std::optional<Workers> workers = parts_.workers();
  std::vector<uint64_t> keys;
  for (const auto& [key, question] : questions_) keys.push_back(key);
  for (const uint64_t key : keys) {
    const auto at = questions_.find(key);
    if (at == questions_.end()) continue;
    Question& question = at->second;
    if (question.number == 0) {
      if (Publish(key) || question.asked_at + options_.workers_timeout > now) continue;
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
    const bool is_late = question.asked_at + options_.timeout <= now;
    if (question.waits_for.empty() || is_late) Finish(at);
  }
}

void ControlQuestions::Finish(Questions::iterator at) {
  Question& question = at->second;
  const bool is_end = IsEnd(question.command);
  if (question.answers.empty() && !question.waits_for.empty()) {
    constexpr absl::string_view kWhy = "no worker has answered in time";
    return End(at, is_end ? absl::UnknownError(kWhy) : absl::UnavailableError(kWhy));
  }
  question.is_partial |= !question.waits_for.empty();
  ControlResult result;
  if (question.command.kind == Kind::kBusiest) {
    if (!FinishBusiest(at, &result)) return;
  } else if (is_end) {
    for (const ControlAnswer& answer : question.answers) result.count += answer.count;
    if (question.is_busy && result.count == 0) {
      return End(at, absl::AbortedError("the workers are asked to end too many connections"));
    }
  } else {
    result.list = MergeGroups(ListsOf(question.answers), question.command.limit);
  }
  result.complete = !question.is_partial;
  if (!is_end && result.complete && IsShared(question.asked_at)) {
    known_.push_back(
        {.command = question.command, .asked_at = question.asked_at, .result = result});
  }
  End(at, result);
}

bool ControlQuestions::FinishBusiest(Questions::iterator at, ControlResult* result) {
  Question& question = at->second;
  if (!question.busiest.has_value()) {
    // Nobody waits for the members.
    if (question.callers.empty()) {
      questions_.erase(at);
      return false;
    }
    const GroupListBounds bounds = {.groups_max = question.command.limit,
                                    .bytes_max = parts_.list_bytes_max()};
    GroupList busiest = MergeBusiest(ListsOf(question.answers), bounds);
    // That there are more groups than the caller wants is no news.
    busiest.is_cut &= busiest.groups.size() < bounds.groups_max;
    question.busiest = std::move(busiest);
    if (!question.busiest->groups.empty()) {
      question.number = 0;
      if (!Publish(at->first)) End(at, absl::UnavailableError("the workers are not known now"));
      return false;
    }
  }
  // The messages of another worker may be smaller than those of this one.
  for (const ControlAnswer& answer : question.answers) question.is_partial |= answer.list.is_cut;
  result->list = WithMembers(*std::move(question.busiest), question.answers);
  return true;
}

void ControlQuestions::Tell(Question* question, const absl::StatusOr<ControlResult>& result) {
  for (const auto& [handle, done] : std::exchange(question->callers, {})) done(result);
}

void ControlQuestions::End(Questions::iterator at, const absl::StatusOr<ControlResult>& result) {
  Question question = std::move(at->second);
  questions_.erase(at);
  Tell(&question, result);
}

void ControlQuestions::FailAll(const absl::Status& why) {
  while (!questions_.empty()) End(questions_.begin(), why);
}

}  // namespace groupcast::service
