#include "services/channel_server/broker/publishers.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {

using channel::v1::Refusal;

void Publisher::Accept(const Result& result, size_t results_max) {
  ++last_accepted_;
  ++untold_;
  results_.push_back(result);
  ForgetResultsOver(results_max);
}

void Publisher::Restore(uint64_t number, const Result& result, size_t results_max) {
  if (number <= last_accepted_) return;
  // The server of that time took the numbers up from where the publisher was.
  if (number != last_accepted_ + 1) results_.clear();
  last_accepted_ = number;
  results_.push_back(result);
  ForgetResultsOver(results_max);
}

void Publisher::ContinueAt(uint64_t number) {
  results_.clear();
  last_accepted_ = number - 1;
}

void Publisher::ForgetResultsBelow(uint64_t number) {
  while (results_.size() > untold_ && first_result() < number) results_.pop_front();
}

void Publisher::ForgetResultsOver(size_t max) {
  while (results_.size() > std::max(max, untold_)) results_.pop_front();
}

void Publisher::ForgetNumbers() {
  known = false;
  last_accepted_ = 0;
  results_.clear();
  untold_ = 0;
}

void Publisher::ResultsFrom(uint64_t number, channel::v1::Acknowledgement* run) const {
  AddRun(number, results_.size() - untold_, run);
}

void Publisher::TellResults(channel::v1::Acknowledgement* run) {
  const uint64_t first = last_told() + 1;
  untold_ = 0;
  AddRun(first, results_.size(), run);
}

// The results from `number` on, of the first `count` that are remembered.
void Publisher::AddRun(uint64_t number, size_t count, channel::v1::Acknowledgement* run) const {
  number = std::max(number, first_result());
  run->set_first_number(number);
  for (size_t i = number - first_result(); i < count; ++i) {
    run->add_offsets(results_[i].offset);
    if (results_[i].offset != 0) continue;
    Refusal* const refusal = run->add_refusals();
    refusal->set_number(first_result() + i);
    refusal->set_reason(static_cast<Refusal::Reason>(results_[i].reason));
  }
}

Publisher* Publishers::Find(PublisherId id) {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : &found->second;
}

Publisher* Publishers::FindOrAdd(PublisherId id, absl::Time now) {
  if (Publisher* const known = Find(id)) return known;
  while (all_.size() >= options_.publishers_max) {
    if (!ForgetMostSilent()) return nullptr;
  }
  return Restore(id, now);
}

Publisher* Publishers::Restore(PublisherId id, absl::Time last_heard) {
  const auto [entry, is_new] = all_.try_emplace(id, id);
  Publisher* const publisher = &entry->second;
  if (is_new) by_silence_.push_back(*publisher);
  Touch(publisher, last_heard);
  return publisher;
}

void Publishers::FinishRecovery() {
  // The log has publishers that were forgotten since.
  while (all_.size() > options_.publishers_max && ForgetMostSilent()) {
  }
}

void Publishers::Clear() {
  by_silence_.clear();
  all_.clear();
}

void Publishers::Touch(Publisher* publisher, absl::Time now) {
  publisher->last_heard_ = now;
  by_silence_.splice(by_silence_.end(), by_silence_, by_silence_.iterator_to(*publisher));
}

void Publishers::Expire(absl::Time now) {
  while (!by_silence_.empty()) {
    Publisher& most_silent = by_silence_.front();
    if (most_silent.has_untold() || most_silent.last_heard_ + options_.age_max > now) return;
    Forget(&most_silent);
  }
}

bool Publishers::ForgetMostSilent() {
  const auto found = std::find_if(by_silence_.begin(), by_silence_.end(),
                                  [](const Publisher& one) { return !one.has_untold(); });
  if (found == by_silence_.end()) return false;
  Forget(&*found);
  return true;
}

void Publishers::Forget(Publisher* publisher) {
  by_silence_.erase(by_silence_.iterator_to(*publisher));
  all_.erase(publisher->id());
}

}  // namespace groupcast::service
