#ifndef SDK_CPP_GROUPCAST_TESTING_CONVERSATION_STEP_H_
#define SDK_CPP_GROUPCAST_TESTING_CONVERSATION_STEP_H_

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/types.h"

// The fields of a step of a conversation, see sdk/conversations.
namespace groupcast {

namespace json = boost::json;

inline std::string Text(const json::value& value) { return std::string(value.as_string()); }

inline absl::Duration Ms(const json::value& value) {
  return absl::Milliseconds(value.to_number<int64_t>());
}

inline std::optional<std::string> TextOf(const json::object& step, absl::string_view field) {
  const json::value* const value = step.if_contains({field.data(), field.size()});
  if (value == nullptr) return std::nullopt;
  return Text(*value);
}

// `fallback` if the step has no such number.
inline uint32_t NumberOf(const json::object& step, absl::string_view field, uint32_t fallback) {
  const json::value* const value = step.if_contains({field.data(), field.size()});
  return value == nullptr ? fallback : value->to_number<uint32_t>();
}

inline absl::Duration MsOf(const json::object& step, absl::string_view field) {
  const json::value* const value = step.if_contains({field.data(), field.size()});
  return value == nullptr ? absl::ZeroDuration() : Ms(*value);
}

inline bool FlagOf(const json::object& step, absl::string_view field) {
  const json::value* const value = step.if_contains({field.data(), field.size()});
  return value != nullptr && value->as_bool();
}

inline std::optional<Position> SinceOf(const json::object& step) {
  const json::value* const since = step.if_contains("since");
  if (since == nullptr) return std::nullopt;
  return Position{Text(since->at("epoch")), since->at("offset").to_number<uint64_t>()};
}

inline bool Needs(const json::object& conversation, absl::string_view need) {
  const json::value* const needs = conversation.if_contains("needs");
  if (needs == nullptr) return false;
  const json::array& array = needs->as_array();
  return std::any_of(array.begin(), array.end(),
                     [need](const json::value& value) { return Text(value) == need; });
}

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TESTING_CONVERSATION_STEP_H_
