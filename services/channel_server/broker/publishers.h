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
  // The server forgets a publisher that was silent for this time.
  absl::Duration age_max = absl::Hours(24);

  // The bound of the known publishers. Over it, the server forgets the publisher that was silent
  // for the longest time.
  size_t publishers_max = 10'000;

  // The bound of the results that the server remembers for one publisher, until the publisher
  // confirms them. Over it, the server forgets the oldest results. A worker's window has room for
  // the default number.
  size_t results_max = 1u << 18;
};

// A publisher from the view of the server: the last accepted number, and the results that the
// worker may still ask for.
//
// A result is untold until its publication is handed out. The server must send nothing of it
// before.
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
  // The last number with a result that the server may send to the publisher.
  uint64_t last_told() const { return last_accepted_ - untold_; }
  bool has_untold() const { return untold_ > 0; }

  // The remembered results, of the numbers up to last_accepted().
  const std::deque<Result>& results() const { return results_; }
  // The result of `number`, which the server must still have.
  Result& result(uint64_t number) { return results_[number - first_result()]; }

  // Accepts the next number, with an untold result. Over `results_max`, it forgets told results.
  void Accept(const Result& result, size_t results_max);

  // Adds a number from the log, with its result. It has no effect for a number that was accepted
  // before.
  void Restore(uint64_t number, const Result& result, size_t results_max);

  // The next number to accept is `number`. The lower numbers have their results already.
  void ContinueAt(uint64_t number);

  // The publisher will not ask for results below `number`. Untold results stay.
  void ForgetResultsBelow(uint64_t number);

  // Forgets the numbers, because their epoch has ended.
  void ForgetNumbers();

  // The remembered told results from `number` on.
  void ResultsFrom(uint64_t number, channel::v1::Acknowledgement* run) const;

  // The untold results. After this call they count as told.
  void TellResults(channel::v1::Acknowledgement* run);

  // The server knows its numbers: it has said hello in this epoch, or is in the log.
  bool known = false;
  // It has said hello, and the server does not know that its connection has ended.
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
// The caller gives it the time. Not thread-safe.
class Publishers {
 public:
  using BySilence = boost::intrusive::list<Publisher>;

  explicit Publishers(const PublishersOptions& options) : options_(options) {}
  ~Publishers() { by_silence_.clear(); }
  Publishers(const Publishers&) = delete;
  Publishers& operator=(const Publishers&) = delete;

  // Null: it is not known.
  Publisher* Find(PublisherId id);

  // Over the bound, it first forgets another publisher. Null: it can forget none, because all have
  // untold results.
  Publisher* FindOrAdd(PublisherId id, absl::Time now);

  // Adds a publisher from the log. The bound has no effect until FinishRecovery. The caller calls
  // it in the order of `last_heard`.
  Publisher* Restore(PublisherId id, absl::Time last_heard);
  void FinishRecovery();

  // A frame of the publisher has come.
  void Touch(Publisher* publisher, absl::Time now);

  // Forgets publishers that were silent for too long. Publishers with untold results stay.
  void Expire(absl::Time now);

  // In the order of their ids.
  std::map<PublisherId, Publisher>& all() { return all_; }
  const std::map<PublisherId, Publisher>& all() const { return all_; }

  // The most silent first.
  const BySilence& by_silence() const { return by_silence_; }

  void Clear();

  size_t results_max() const { return options_.results_max; }

 private:
  // Returns whether it has forgotten one.
  bool ForgetMostSilent();
  void Forget(Publisher* publisher);

  const PublishersOptions options_;
  std::map<PublisherId, Publisher> all_;
  BySilence by_silence_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PUBLISHERS_H_
