#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_SUBJECT_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_SUBJECT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// A group id as one token of a NATS subject. Letters, digits, "-" and "_" stand for themselves.
// Each other byte is "=" and two hexadecimal digits in upper case. So a token has neither blanks
// nor "." nor wildcards, and is ASCII: NATS gives a meaning to those, and recommends this. It has
// at most three times the bytes of the id.
std::string SubjectToken(absl::string_view group_id);

// The reverse. Nullopt: SubjectToken does not make this token.
std::optional<std::string> GroupIdOfToken(absl::string_view token);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_SUBJECT_H_
