#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PUBLISHERS_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PUBLISHERS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>

#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"

namespace groupcast::service {

struct PublishersOptions {
  // A publisher that was silent for this time is forgotten.
  absl::Duration age_max = absl::Hours(24);

  // The number of known publishers. Over it, the one that was silent for longest is forgotten.
  size_t publishers_max = 10'000;

  // The results that the server remembers for one publisher, until the publisher confirms them.
  // Over it, the oldest results are forgotten. The default is what a worker's window has room for.
  size_t results_max = 1u << 18;
};

// A worker as the server knows it: which numbers of its publications the server has accepted, and
// the results that the worker may still ask for.
//
// A result is untold until its publication was handed out. Nothing of it may be told before.
class Publisher : public boost::intrusive::list_base_hook<> {
 public:
  struct Result {
    uint64_t offset;  // 0: refused
    uint8_t reason;   // channel.v1.Refusal.Reason
  };

  explicit Publisher(PublisherId id) : id_(id) {}

  PublisherId id() const { return id_; }
  absl::Time last_heard() const { return last_heard_; }
  uint64_t last_accepted() const { return last_accepted_; }
  // The last number that the publisher may hear of.
  uint64_t last_told() const { return last_accepted_ - untold_; }
  bool has_untold() const { return untold_ > 0; }

  // The result of `number`, which must be remembered.
  Result& result(uint64_t number) { return results_[number - first_result()]; }

  // Accepts the next number, with an untold result. Over `results_max`, told results are forgotten.
  void Accept(const Result& result, size_t results_max);

  // A number from the log, with its result. Numbers that were accepted before have no effect.
  void Restore(uint64_t number, const Result& result, size_t results_max);

  // The next number to accept is `number`: what came before it has its results already.
  void ContinueAt(uint64_t number);

  // The publisher will not ask for results below `number`. Untold ones stay.
  void ForgetResultsBelow(uint64_t number);

  // Its numbers belong to an epoch that has ended.
  void ForgetNumbers();

  // The told results from `number` on, as far as they are remembered.
  void ResultsFrom(uint64_t number, channel::v1::Acknowledgement* run) const;

  // The untold results, which are told from now on.
  void TellResults(channel::v1::Acknowledgement* run);

  // Its numbers are known: it has said hello in this epoch, or is in the log.
  bool known = false;
  // It has said hello, and can be reached as far as the server knows.
  bool present = false;
  uint64_t last_digest = 0;

 private:
  friend class Publishers;

  uint64_t first_result() const { return last_accepted_ - results_.size() + 1; }
  void ForgetResultsOver(size_t max);
  void AddRun(uint64_t number, size_t count, channel::v1::Acknowledgement* run) const;

  const PublisherId id_;
  absl::Time last_heard_;
  uint64_t last_accepted_ = 0;
  std::deque<Result> results_;  // of the numbers up to last_accepted_
  size_t untold_ = 0;           // of the newest of them
};

// The publishers that the server knows, within a bound.
//
// Time is handed in. Not thread-safe.
class Publishers {
 public:
  explicit Publishers(const PublishersOptions& options) : options_(options) {}
  ~Publishers() { by_silence_.clear(); }
  Publishers(const Publishers&) = delete;
  Publishers& operator=(const Publishers&) = delete;

  // Null: it is not known.
  Publisher* Find(PublisherId id);

  // Makes room for a new one if there is none, by forgetting another. Null: none can be forgotten,
  // because all have untold results.
  Publisher* FindOrAdd(PublisherId id, absl::Time now);

  // From the log, where the bound does not count until FinishRecovery. To be called in the order of
  // `last_heard`.
  Publisher* Restore(PublisherId id, absl::Time last_heard);
  void FinishRecovery();

  // The server has heard of the publisher.
  void Touch(Publisher* publisher, absl::Time now);

  // Forgets publishers that were silent for too long. Those with untold results stay.
  void Expire(absl::Time now);

  // In the order of their ids.
  std::map<PublisherId, Publisher>& all() { return all_; }
  const std::map<PublisherId, Publisher>& all() const { return all_; }

  size_t results_max() const { return options_.results_max; }

 private:
  // Whether one could be forgotten.
  bool ForgetMostSilent();
  void Forget(Publisher* publisher);

  const PublishersOptions options_;
  std::map<PublisherId, Publisher> all_;
  boost::intrusive::list<Publisher> by_silence_;  // the most silent first
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PUBLISHERS_H_
