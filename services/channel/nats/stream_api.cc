#include "services/channel/nats/stream_api.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "boost/json.hpp"

namespace groupcast::service {
namespace {

namespace json = boost::json;

// JetStream's own numbers of errors, which stay the same when descriptions change.
constexpr int64_t kMessageTooLarge = 10054;
constexpr int64_t kStreamMismatch = 10060;
constexpr int64_t kStreamNotFound = 10059;
constexpr int64_t kNoMessage = 10037;
constexpr int64_t kOtherConfiguration = 10058;
constexpr int64_t kNotEnabled = 10076;
constexpr int64_t kNotEnabledForAccount = 10039;

std::string_view Std(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

absl::Status ReadError(const json::object& error) {
  const json::value* const number = error.if_contains("err_code");
  const json::value* const description = error.if_contains("description");
  const std::string text = description != nullptr && description->is_string()
                               ? absl::StrCat("JetStream says: ", Absl(description->get_string()))
                               : "JetStream gives no reason";
  const int64_t code = number != nullptr && number->is_int64() ? number->get_int64() : 0;
  switch (code) {
    case kStreamNotFound:
    case kNoMessage:
      return absl::NotFoundError(text);
    case kOtherConfiguration:
    case kStreamMismatch:
    case kNotEnabled:
    case kNotEnabledForAccount:
      return absl::FailedPreconditionError(text);
    case kMessageTooLarge:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

absl::Status Defect(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("an answer of JetStream ", what));
}

// The object of an answer without an error.
absl::StatusOr<json::object> ReadAnswer(absl::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(Std(text), error);
  if (error || !value.is_object()) return Defect("is no JSON object");
  json::object answer = std::move(value.get_object());
  const json::value* const failure = answer.if_contains("error");
  if (failure == nullptr) return answer;
  if (!failure->is_object()) return Defect("has an error that is no object");
  return ReadError(failure->get_object());
}

absl::StatusOr<uint64_t> ReadSequence(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  boost::system::error_code error;
  const uint64_t sequence = value == nullptr ? 0 : value->to_number<uint64_t>(error);
  if (value == nullptr || error) {
    return Defect(absl::StrCat("has no number \"", Absl(name), "\""));
  }
  return sequence;
}

absl::StatusOr<std::string> ReadString(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) {
    return Defect(absl::StrCat("has no text \"", Absl(name), "\""));
  }
  return std::string(value->get_string());
}

}  // namespace

std::string StreamConfiguration(const StreamOptions& options) {
  json::object stream{
      {"name", options.name},
      {"subjects", {absl::StrCat(options.name, ".g.>")}},
      {"retention", "limits"},
      {"discard", "old"},
      {"storage", options.in_memory ? "memory" : "file"},
      {"num_replicas", options.replicas},
      {"max_msgs_per_subject", options.messages_per_group_max + 1},
      {"max_age", absl::ToInt64Nanoseconds(options.age_max)},
      {"max_bytes", options.bytes_max},
      {"duplicate_window", absl::ToInt64Nanoseconds(options.keys)},
      {"allow_direct", true},
      {"republish",
       {{"src", absl::StrCat(options.name, ".g.>")},
        {"dest", absl::StrCat(options.name, ".live.>")}}},
  };
  if (!options.placement_tag.empty()) {
    stream["placement"] = {{"tags", json::array{json::value(Std(options.placement_tag))}}};
  }
  return json::serialize(stream);
}

absl::StatusOr<StreamInfo> ReadStreamInfo(absl::string_view text) {
  const absl::StatusOr<json::object> answer = ReadAnswer(text);
  if (!answer.ok()) return answer.status();
  absl::StatusOr<std::string> created = ReadString(*answer, "created");
  if (!created.ok()) return created.status();
  const json::value* const state = answer->if_contains("state");
  if (state == nullptr || !state->is_object()) return Defect("has no state of the stream");
  const absl::StatusOr<uint64_t> first = ReadSequence(state->get_object(), "first_seq");
  if (!first.ok()) return first.status();
  const absl::StatusOr<uint64_t> last = ReadSequence(state->get_object(), "last_seq");
  if (!last.ok()) return last.status();
  StreamInfo info{.created = *std::move(created), .first_sequence = *first, .last_sequence = *last};
  const json::value* const subjects = state->get_object().if_contains("subjects");
  if (subjects == nullptr) return info;
  if (!subjects->is_object()) return Defect("has subjects that are no object");
  for (const auto& [subject, count] : subjects->get_object()) {
    if (!count.is_int64()) return Defect("has a count that is no number");
    info.messages_of_subjects += count.get_int64();
  }
  return info;
}

std::string StreamStateRequest(absl::string_view subject) {
  return json::serialize(json::object{{"subjects_filter", Std(subject)}});
}

absl::StatusOr<PublishAnswer> ReadPublishAnswer(absl::string_view text) {
  const absl::StatusOr<json::object> answer = ReadAnswer(text);
  if (!answer.ok()) return answer.status();
  const absl::StatusOr<uint64_t> sequence = ReadSequence(*answer, "seq");
  if (!sequence.ok()) return sequence.status();
  if (*sequence == 0) return Defect("gives a publication no place");
  const json::value* const repeat = answer->if_contains("duplicate");
  return PublishAnswer{.sequence = *sequence,
                       .is_repeat = repeat != nullptr && repeat->is_bool() && repeat->get_bool()};
}

std::string FirstMessageRequest(absl::string_view subject, uint64_t from_sequence) {
  return json::serialize(json::object{{"next_by_subj", Std(subject)}, {"seq", from_sequence}});
}

std::string LastMessageRequest(absl::string_view subject) {
  return json::serialize(json::object{{"last_by_subj", Std(subject)}});
}

absl::StatusOr<StoredMessage> ReadStoredMessage(absl::string_view text) {
  const absl::StatusOr<json::object> answer = ReadAnswer(text);
  if (!answer.ok()) return answer.status();
  const json::value* const value = answer->if_contains("message");
  if (value == nullptr || !value->is_object()) return Defect("has no message");
  const json::object& message = value->get_object();
  absl::StatusOr<std::string> subject = ReadString(message, "subject");
  if (!subject.ok()) return subject.status();
  const absl::StatusOr<uint64_t> sequence = ReadSequence(message, "seq");
  if (!sequence.ok()) return sequence.status();
  StoredMessage stored{.subject = *std::move(subject), .sequence = *sequence, .data = {}};
  if (!message.contains("data")) return stored;  // it is empty
  const absl::StatusOr<std::string> data = ReadString(message, "data");
  if (!data.ok()) return data.status();
  if (!absl::Base64Unescape(*data, &stored.data)) return Defect("has data that is not Base64");
  return stored;
}

}  // namespace groupcast::service
