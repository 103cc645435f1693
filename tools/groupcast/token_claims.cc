#include "tools/groupcast/token_claims.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace groupcast::cli {
namespace {

namespace json = boost::json;

json::array Strings(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

// The claim `groups`: a list for all rights, or an object with a list for each right.
absl::StatusOr<json::value> GroupsClaim(const TokenRequest& request) {
  json::object rights;
  if (!request.join.empty()) rights["join"] = Strings(request.join);
  if (!request.send.empty()) rights["send"] = Strings(request.send);
  if (!request.read.empty()) rights["read"] = Strings(request.read);
  if (!request.observe.empty()) rights["observe"] = Strings(request.observe);
  if (rights.empty()) return json::value(Strings(request.groups));
  if (!request.groups.empty()) {
    return absl::InvalidArgumentError(
        "--groups is for all rights; use it, or --join, --send, --read and --observe.");
  }
  return json::value(std::move(rights));
}

// One part of a token: an object of JSON in base64url without padding.
std::optional<json::object> ReadPart(absl::string_view part) {
  std::string text;
  if (!absl::WebSafeBase64Unescape(part, &text)) return std::nullopt;
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  return value.get_object();
}

absl::Status NoToken() {
  return absl::InvalidArgumentError(
      "this is no JSON Web Token: it has three parts with dots between them, and the first two are "
      "JSON in base64url.");
}

std::optional<absl::Time> TimeClaim(const json::object& claims, const char* name) {
  const json::value* const value = claims.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return absl::UnixEpoch() + absl::Seconds(value->to_number<double>());
}

std::string Ago(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Seconds(1)));
}

}  // namespace

absl::StatusOr<std::string> ClaimsJson(const TokenRequest& request, absl::Time now) {
  json::object claims;
  if (!request.user.empty()) claims["sub"] = request.user;
  claims["iat"] = absl::ToUnixSeconds(now);
  claims["exp"] = absl::ToUnixSeconds(now + request.valid_for);
  if (!request.issuer.empty()) claims["iss"] = request.issuer;
  if (!request.audience.empty()) claims["aud"] = request.audience;
  if (!request.info.empty()) {
    json::error_code error;
    json::value info = json::parse(request.info, error);
    if (error) return absl::InvalidArgumentError("--info is not JSON.");
    claims["info"] = std::move(info);
  }
  absl::StatusOr<json::value> groups = GroupsClaim(request);
  if (!groups.ok()) return groups.status();
  const bool has_groups = groups->is_object() || !groups->get_array().empty();
  if (request.group.empty()) {
    if (!request.rights.empty()) {
      return absl::InvalidArgumentError("--rights is for a token with --group.");
    }
    if (has_groups) claims["groups"] = *std::move(groups);
  } else {
    if (has_groups) {
      return absl::InvalidArgumentError(
          "a token with --group is for that group alone; its rights are --rights.");
    }
    claims["group"] = request.group;
    if (!request.rights.empty()) claims["rights"] = Strings(request.rights);
  }
  return json::serialize(claims);
}

absl::StatusOr<ReadableToken> ReadToken(absl::string_view token) {
  const std::vector<absl::string_view> parts = absl::StrSplit(token, '.');
  if (parts.size() != 3) return NoToken();
  const std::optional<json::object> header = ReadPart(parts[0]);
  const std::optional<json::object> claims = ReadPart(parts[1]);
  if (!header.has_value() || !claims.has_value()) return NoToken();
  ReadableToken readable;
  readable.header = json::serialize(*header);
  readable.claims = json::serialize(*claims);
  readable.expires_at = TimeClaim(*claims, "exp");
  readable.not_before = TimeClaim(*claims, "nbf");
  return readable;
}

bool IsInTime(const ReadableToken& token, absl::Time now) {
  return token.expires_at.value_or(absl::InfiniteFuture()) > now &&
         token.not_before.value_or(absl::InfinitePast()) <= now;
}

std::string ValidityText(const ReadableToken& token, absl::Time now) {
  if (token.expires_at.has_value() && *token.expires_at <= now) {
    return absl::StrCat("expired ", Ago(now - *token.expires_at), " ago");
  }
  if (token.not_before.has_value() && *token.not_before > now) {
    return absl::StrCat("not valid before ", Ago(*token.not_before - now), " from now");
  }
  if (!token.expires_at.has_value()) return "does not expire";
  return absl::StrCat("expires in ", Ago(*token.expires_at - now));
}

}  // namespace groupcast::cli
