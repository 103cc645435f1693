#include "services/http_gateway/exchange.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace groupcast::service {

Exchange::Exchange(Calls calls)
    : calls_(std::move(calls)), left_(calls_.items.size()), results_(calls_.items.size()) {
  for (size_t i = 0; i < calls_.items.size(); ++i) {
    const auto* const defect = std::get_if<CommandError>(&calls_.items[i]);
    if (defect == nullptr) continue;
    OnAnswer({.kind = Answer::Kind::kError,
              .id = i,
              .problem = ProblemOf(defect->code, defect->message)});
  }
  SkipDefects();
  if (calls_.control.has_value()) {
    left_ = 1;
    results_.resize(1);
  }
}

void Exchange::OnControl(std::variant<std::string, Problem> answer) {
  question.reset();
  if (Problem* const problem = std::get_if<Problem>(&answer)) return Fail(std::move(*problem));
  results_.front() = std::get<std::string>(std::move(answer));
  left_ = 0;
}

void Exchange::SkipDefects() {
  while (next_ < calls_.items.size() && !std::holds_alternative<Command>(calls_.items[next_])) {
    ++next_;
  }
}

const Command* Exchange::Next() const {
  if (calls_.asks_services || problem_.has_value() || next_ == calls_.items.size()) return nullptr;
  return &std::get<Command>(calls_.items[next_]);
}

void Exchange::Ran() {
  ++next_;
  SkipDefects();
}

void Exchange::OnAnswer(Answer answer) {
  if (answer.kind == Answer::Kind::kEvent) {
    events_.push_back(std::move(answer));
    return;
  }
  const bool is_error = answer.kind == Answer::Kind::kError;
  // The member's token has expired, and nothing follows from that yet.
  if (is_error && !answer.id.has_value() && !calls_.is_stream) return;
  if (is_error && !calls_.is_list) {
    return Fail(std::move(answer.problem));
  }
  const uint64_t id = answer.id.value_or(results_.size());
  if (id >= results_.size() || !results_[id].empty()) return;
  results_[id] = answer.kind == Answer::Kind::kReply
                     ? std::move(answer.json)
                     : absl::StrCat("{", ProblemFields(answer.problem), "}");
  --left_;
}

void Exchange::Fail(Problem problem) {
  if (!problem_.has_value()) problem_ = std::move(problem);
}

std::string Exchange::TakeJson() {
  if (!calls_.is_list) return std::move(results_.front());
  std::string json = "{\"results\":[";
  size_t bytes = json.size() + 2;
  for (const std::string& result : results_) bytes += result.size() + 1;
  json.reserve(bytes);
  for (size_t i = 0; i < results_.size(); ++i)
    absl::StrAppend(&json, i == 0 ? "" : ",", results_[i]);
  json += "]}";
  return json;
}

}  // namespace groupcast::service
