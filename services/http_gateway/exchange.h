#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_EXCHANGE_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/http_gateway/answer.h"
#include "services/http_gateway/calls.h"

namespace groupcast::service {

// One request whose commands run: it collects their answers, and builds the answer of HTTP.
//
// Logic only. Not thread-safe.
class Exchange {
 public:
  explicit Exchange(Calls calls);

  // The next command to run. Null: all are under way. `Ran` follows when it runs.
  const Command* Next() const;
  void Ran();

  // A member's event. The first problem of a request that is no list is its answer. A problem of
  // no command is that of a stream alone: a command that runs has its own answer.
  void OnAnswer(Answer answer);
  // All of it ends with this problem, whatever is under way.
  void Fail(Problem problem);

  // The answer is whole.
  bool is_complete() const { return problem_.has_value() || left_ == 0; }

  // When it is complete. The problem, if it has one.
  const std::optional<Problem>& problem() const { return problem_; }
  // The JSON of the answer without a problem, of a request that is no stream.
  std::string TakeJson();
  // Of a stream: the replies to its joins, in the order of its groups.
  const std::vector<std::string>& replies() const { return results_; }
  // Events that have come before the stream has begun.
  const std::vector<Answer>& events() const { return events_; }

  bool asks_services() const { return calls_.asks_services; }
  // What all workers are asked instead of commands. Null: nothing.
  const ControlCommand* control() const {
    return calls_.control.has_value() ? &*calls_.control : nullptr;
  }
  // The workers' answer.
  void OnControl(std::variant<std::string, Problem> answer);

  bool is_stream() const { return calls_.is_stream; }
  const std::vector<std::string>& groups() const { return calls_.groups; }

  // Of GroupService::AskWorkers, while the workers are asked.
  std::optional<uint64_t> question;

 private:
  void SkipDefects();

  Calls calls_;
  size_t next_ = 0;
  size_t left_ = 0;                   // results
  std::vector<std::string> results_;  // JSON; empty: none yet
  std::vector<Answer> events_;
  std::optional<Problem> problem_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_EXCHANGE_H_
