#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_HISTORY_QUESTIONS_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_HISTORY_QUESTIONS_H_

#include <cstddef>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"

namespace groupcast::service {

struct HistoryQuestionsOptions {
  // The bounds of the questions that wait, of one worker and of all. Over them, new ones are
  // dropped: the worker asks again. A worker has at most 36 under way.
  size_t per_worker_max = 256;
  size_t all_max = 10'000;

  // The bytes of the answers in one turn. One more answer may exceed it.
  size_t turn_bytes = 1u << 20;
};

// The workers' questions for history, until they are answered. An answer may be large, so a turn
// gives few of them, after everything else that it sends. Each worker gets one answer after the
// other workers that wait.
//
// Not thread-safe.
class HistoryQuestions {
 public:
  explicit HistoryQuestions(const HistoryQuestionsOptions& options) : options_(options) {}

  // Drops the question if too many wait.
  void Add(PublisherId from, const channel::v1::FetchHistory& question);

  // Takes questions and calls `answer` for each, as far as the turn's bytes go. `answer` returns
  // the bytes of the answer.
  using Answer = absl::FunctionRef<size_t(PublisherId, const channel::v1::FetchHistory&)>;
  void AnswerSome(Answer answer);

  size_t waiting() const { return waiting_; }

 private:
  const HistoryQuestionsOptions options_;
  absl::flat_hash_map<PublisherId, std::deque<channel::v1::FetchHistory>> of_workers_;
  std::deque<PublisherId> next_;  // each worker with questions once
  size_t waiting_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_HISTORY_QUESTIONS_H_
