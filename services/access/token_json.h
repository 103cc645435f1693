#ifndef GROUPCAST_SERVICES_ACCESS_TOKEN_JSON_H_
#define GROUPCAST_SERVICES_ACCESS_TOKEN_JSON_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// The members of a JSON object, by their names, each as its raw JSON.
using JsonMembers = std::map<std::string, absl::string_view, std::less<>>;

// Reads an object of a token or of a key set. nullopt: it is not an object in UTF-8, or has a name
// twice (RFC 7519 section 4 lets a reader refuse that).
std::optional<JsonMembers> ReadJsonMembers(absl::string_view json);

// Reads an array; each element is raw JSON.
std::optional<std::vector<absl::string_view>> ReadJsonElements(absl::string_view json);

// Reads a string.
std::optional<std::string> ReadJsonText(absl::string_view json);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_ACCESS_TOKEN_JSON_H_
