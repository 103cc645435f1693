#include "services/channel/repairs.h"

#include <utility>

#include "absl/status/status.h"

namespace groupcast::service {

Repairs::Repairs(const RepairsOptions& options, const Clock* clock, RepairLink* link)
    : options_(options), clock_(clock), link_(link) {}

void Repairs::Queue(absl::string_view group_id) {
  if (!link_->CanAsk()) return;
  if (!wanted_.try_emplace(group_id, 0).second) return;
  queue_.emplace_back(group_id);
  SendQueued();
}

void Repairs::Forget(absl::string_view group_id) { wanted_.erase(group_id); }

void Repairs::SendQueued() {
  while (!queue_.empty() && asked_ < options_.asked_max && link_->CanAsk()) {
    const auto wanted = wanted_.find(queue_.front());
    // The group was forgotten; or it was wanted again since, and another entry has been asked for.
    if (wanted == wanted_.end() || wanted->second != 0) {
      queue_.pop_front();
      continue;
    }
    const std::optional<Position> after = link_->RepairFrom(queue_.front());
    if (!after.has_value()) {
      wanted_.erase(wanted);  // so its entry in the queue goes next
      continue;
    }
    if (!link_->AskHistory(next_request_, queue_.front(), *after, 0)) return;
    ++count_;
    ++asked_;
    wanted->second = next_request_;
    requests_[next_request_++] = {{.group_id = std::move(queue_.front())},
                                  clock_->Now() + options_.answer_timeout};
    queue_.pop_front();
  }
}

void Repairs::FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                           Channel::HistoryCallback done) {
  if (!link_->CanAsk() || !link_->AskHistory(next_request_, group_id, after, newest)) {
    Fail(std::move(done), "the channel server cannot be reached");
    return;
  }
  requests_[next_request_++] = {{.newest = newest > 0, .done = std::move(done)},
                                clock_->Now() + options_.answer_timeout};
}

std::optional<Repairs::Question> Repairs::Take(uint64_t request) {
  const auto found = requests_.find(request);
  if (found == requests_.end()) return std::nullopt;
  Question question = std::move(found->second.question);
  requests_.erase(found);
  if (question.done) return question;
  --asked_;
  const auto wanted = wanted_.find(question.group_id);
  if (wanted == wanted_.end() || wanted->second != request) return std::nullopt;
  wanted_.erase(wanted);
  return question;
}

void Repairs::Reset() {
  for (auto& [number, request] : requests_) {
    if (request.question.done) {
      Fail(std::move(request.question.done), "the connection to the channel server was lost");
    }
  }
  requests_.clear();
  asked_ = 0;
  queue_.clear();
  wanted_.clear();
}

void Repairs::Tick() {
  const absl::Time now = clock_->Now();
  while (!requests_.empty() && requests_.begin()->second.deadline <= now) {
    std::optional<Question> late = Take(requests_.begin()->first);
    if (!late.has_value()) continue;  // of a group that was left
    if (late->done) {
      Fail(std::move(late->done), "the channel server did not answer");
    } else {
      Queue(late->group_id);
    }
  }
  SendQueued();
}

void Repairs::Fail(Channel::HistoryCallback done, absl::string_view why) {
  due_.push_back(
      [done = std::move(done), why = std::string(why)] { done(absl::UnavailableError(why)); });
}

bool Repairs::GiveAnswers() {
  const std::vector<std::function<void()>> due = std::exchange(due_, {});
  for (const std::function<void()>& answer : due) answer();
  return !due.empty();
}

}  // namespace groupcast::service
