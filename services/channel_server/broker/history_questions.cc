#include "services/channel_server/broker/history_questions.h"

#include <utility>

namespace groupcast::service {

void HistoryQuestions::Add(PublisherId from, const channel::v1::FetchHistory& question) {
  if (waiting_ >= options_.all_max) return;
  std::deque<channel::v1::FetchHistory>& of_worker = of_workers_[from];
  if (of_worker.size() >= options_.per_worker_max) return;
  if (of_worker.empty()) next_.push_back(from);
  of_worker.push_back(question);
  ++waiting_;
}

void HistoryQuestions::AnswerSome(Answer answer) {
  for (size_t bytes = 0; waiting_ > 0 && bytes < options_.turn_bytes;) {
    const PublisherId worker = next_.front();
    next_.pop_front();
    auto of_worker = of_workers_.extract(worker);
    const channel::v1::FetchHistory question = std::move(of_worker.mapped().front());
    of_worker.mapped().pop_front();
    --waiting_;
    if (!of_worker.mapped().empty()) {
      of_workers_.insert(std::move(of_worker));
      next_.push_back(worker);
    }
    bytes += answer(worker, question);
  }
}

}  // namespace groupcast::service
