#include "services/access/token.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/access/token_json.h"
#include "services/channel/group_id.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kPersonalPrefix = "user:";

// Dates are exact below it.
constexpr double kSecondsEnd = 9007199254740992.0;  // 2^53

absl::Status Invalid(absl::string_view sentence) { return absl::UnauthenticatedError(sentence); }

// A part of a token in base64url without padding (RFC 7515 section 2).
std::optional<std::string> Decode(absl::string_view part) {
  const bool is_base64url = std::all_of(part.begin(), part.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_';
  });
  std::string bytes;
  if (!is_base64url || !absl::WebSafeBase64Unescape(part, &bytes)) return std::nullopt;
  return bytes;
}

// What a header says about the signature.
struct Header {
  TokenAlgorithm algorithm;
  std::string key_id;
};

absl::StatusOr<Header> ReadHeader(absl::string_view json) {
  const std::optional<JsonMembers> members = ReadJsonMembers(json);
  if (!members.has_value()) return Invalid("the token's header is not a JSON object");
  // RFC 7515 section 4.1.11: no extension is understood here.
  if (members->contains("crit")) return Invalid("the token's header must not have crit");
  Header header;
  if (const auto at = members->find("kid"); at != members->end()) {
    std::optional<std::string> id = ReadJsonText(at->second);
    if (!id.has_value()) return Invalid("the token's kid must be a string");
    header.key_id = *std::move(id);
  }
  // Section 4.1.9. A token of another kind, such as one for logins, is not meant for this.
  if (const auto type = members->find("typ"); type != members->end()) {
    const std::optional<std::string> name = ReadJsonText(type->second);
    if (!name.has_value() || !absl::EqualsIgnoreCase(*name, "JWT")) {
      return Invalid("the token's typ must be JWT, if it is there");
    }
  }
  const auto at = members->find("alg");
  const std::optional<std::string> name =
      at == members->end() ? std::nullopt : ReadJsonText(at->second);
  for (const TokenAlgorithm algorithm :
       {TokenAlgorithm::kHs256, TokenAlgorithm::kRs256, TokenAlgorithm::kEs256}) {
    if (name != TokenAlgorithmName(algorithm)) continue;
    header.algorithm = algorithm;
    return header;
  }
  return Invalid("the token's algorithm must be HS256, RS256 or ES256");
}

// Reads the claims of a valid signature. The first error stays.
class ClaimReader {
 public:
  explicit ClaimReader(const JsonMembers& members) : members_(members) {}

  const absl::Status& status() const { return status_; }
  void Fail(absl::string_view sentence) { status_.Update(Invalid(sentence)); }

  // The raw JSON of a claim.
  std::optional<absl::string_view> Find(absl::string_view name) const {
    const auto at = members_.find(name);
    if (at == members_.end()) return std::nullopt;
    return at->second;
  }

  std::optional<std::string> Text(absl::string_view name) {
    const std::optional<absl::string_view> raw = Find(name);
    if (!raw.has_value()) return std::nullopt;
    std::optional<std::string> text = ReadJsonText(*raw);
    if (!text.has_value()) Fail(absl::StrCat("the claim ", name, " must be a string"));
    return text;
  }

  // A NumericDate (RFC 7519 section 2).
  std::optional<absl::Time> Date(absl::string_view name) {
    const std::optional<absl::string_view> raw = Find(name);
    if (!raw.has_value()) return std::nullopt;
    double seconds = -1;
    // JSON has no other values that begin with a digit.
    if (!absl::ascii_isdigit(static_cast<unsigned char>(raw->front())) ||
        !absl::SimpleAtod(*raw, &seconds) || !(seconds < kSecondsEnd)) {
      Fail(absl::StrCat("the claim ", name, " must be a number of seconds since 1970"));
      return std::nullopt;
    }
    return absl::UnixEpoch() + absl::Seconds(seconds);
  }

  // A string, or an array of strings.
  std::optional<std::vector<std::string>> Texts(absl::string_view name) {
    const std::optional<absl::string_view> raw = Find(name);
    if (!raw.has_value()) return std::nullopt;
    std::optional<std::vector<std::string>> texts = TextsOf(*raw);
    if (!texts.has_value()) {
      Fail(absl::StrCat("the claim ", name, " must be a string or an array of strings"));
    }
    return texts;
  }

  static std::optional<std::vector<std::string>> TextsOf(absl::string_view raw) {
    if (std::optional<std::string> text = ReadJsonText(raw)) return {{*std::move(text)}};
    const std::optional<std::vector<absl::string_view>> elements = ReadJsonElements(raw);
    if (!elements.has_value()) return std::nullopt;
    std::vector<std::string> texts;
    for (const absl::string_view element : *elements) {
      std::optional<std::string> text = ReadJsonText(element);
      if (!text.has_value()) return std::nullopt;
      texts.push_back(*std::move(text));
    }
    return texts;
  }

 private:
  const JsonMembers& members_;
  absl::Status status_;
};

std::optional<Right> ReadRight(absl::string_view name) {
  for (const Right right : kAllRights) {
    if (name == RightName(right)) return right;
  }
  return std::nullopt;
}

// An array of patterns, for all rights; or an object that has such an array for each right.
void ReadGrants(ClaimReader* claims, Grants* grants) {
  const std::optional<absl::string_view> raw = claims->Find("groups");
  if (!raw.has_value()) return;
  constexpr absl::string_view kForm =
      "the claim groups must be an array of strings, or an object with such arrays as join, send, "
      "read and observe";
  if (raw->front() != '{') {
    const auto patterns = ClaimReader::TextsOf(*raw);
    if (!patterns.has_value()) return claims->Fail(kForm);
    for (const std::string& pattern : *patterns) grants->Add(pattern, Rights::All());
    return;
  }
  const std::optional<JsonMembers> members = ReadJsonMembers(*raw);
  if (!members.has_value()) return claims->Fail(kForm);
  for (const auto& [name, value] : *members) {
    const std::optional<Right> right = ReadRight(name);
    const auto patterns = ClaimReader::TextsOf(value);
    if (!right.has_value() || !patterns.has_value()) return claims->Fail(kForm);
    Rights rights;
    rights.Add(*right);
    for (const std::string& pattern : *patterns) grants->Add(pattern, rights);
  }
}

// The rights that a token for one group gives in it.
Rights ReadGroupRights(ClaimReader* claims) {
  Rights rights;
  const auto names = claims->Texts("rights");
  if (!names.has_value()) {
    rights.Add(Right::kJoin);
    rights.Add(Right::kRead);
    return rights;
  }
  for (const std::string& name : *names) {
    const std::optional<Right> right = ReadRight(name);
    if (!right.has_value()) {
      claims->Fail("the claim rights must name join, send, read or observe");
      break;
    }
    rights.Add(*right);
  }
  return rights;
}

}  // namespace

absl::StatusOr<Token> TokenVerifier::Verify(absl::string_view token, absl::Time now) const {
  if (token.size() > kTokenBytesMax) {
    return Invalid(absl::StrCat("the token has over ", kTokenBytesMax, " bytes"));
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(token, '.');
  std::optional<std::string> header_json;
  std::optional<std::string> payload;
  if (parts.size() == 3) {
    header_json = Decode(parts[0]);
    payload = Decode(parts[1]);
  }
  if (!header_json.has_value() || !payload.has_value() || !Decode(parts[2]).has_value()) {
    return Invalid("the token must be three parts in base64url, with dots between them");
  }
  const absl::StatusOr<Header> header = ReadHeader(*header_json);
  if (!header.ok()) return header.status();
  if (!keys_.Verify(token, header->algorithm, header->key_id)) {
    return Invalid("no key of the service has signed the token");
  }
  return ReadClaims(*payload, now);
}

absl::StatusOr<Token> TokenVerifier::ReadClaims(absl::string_view payload, absl::Time now) const {
  const std::optional<JsonMembers> members = ReadJsonMembers(payload);
  if (!members.has_value()) {
    return Invalid("the token's claims must be a JSON object without a name twice");
  }
  ClaimReader claims(*members);
  Token token;
  token.user = claims.Text("sub").value_or("");
  if (const std::string group = PersonalGroup(token.user); claims.Find("sub").has_value()) {
    const absl::string_view defect =
        token.user.empty() ? "must not be empty" : GroupIdDefect(group);
    if (!defect.empty()) {
      claims.Fail(
          absl::StrCat("the claim sub must not be empty, have control characters or be over ",
                       kGroupIdBytesMax - kPersonalPrefix.size(), " bytes"));
    }
  }
  if (const std::optional<absl::string_view> info = claims.Find("info")) {
    AppendCompactJson(*info, &token.info);
    if (token.info.size() > kInfoBytesMax) {
      claims.Fail(absl::StrCat("the claim info is over ", kInfoBytesMax, " bytes"));
    }
  }
  ReadGrants(&claims, &token.grants);
  if (std::optional<std::string> group = claims.Text("group")) {
    if (group->empty() || !GroupIdDefect(*group).empty()) {
      claims.Fail("the claim group must be a group id");
    }
    token.group = *std::move(group);
    token.group_rights = ReadGroupRights(&claims);
  }

  const std::optional<std::string> issuer = claims.Text("iss");
  if (!options_.issuer.empty() && issuer != options_.issuer) {
    claims.Fail("the claim iss is not this service's issuer of tokens");
  }
  // RFC 7519 section 4.1.3: a token for others is not for this service.
  const auto audience = claims.Texts("aud").value_or(std::vector<std::string>());
  if (options_.audience.empty()) {
    if (!audience.empty()) claims.Fail("the token has an audience, and the service has none");
  } else if (std::find(audience.begin(), audience.end(), options_.audience) == audience.end()) {
    claims.Fail("the claim aud does not name this service");
  }
  for (const absl::string_view name : {"nbf", "iat"}) {
    const std::optional<absl::Time> date = claims.Date(name);
    if (date.has_value() && *date > now + options_.leeway) {
      claims.Fail(absl::StrCat("the token is not valid yet: its ", name, " is in the future"));
    }
  }
  if (const std::optional<absl::Time> end = claims.Date("exp")) {
    token.valid_until = *end + options_.leeway;
  }
  if (!claims.status().ok()) return claims.status();
  if (now >= token.valid_until) return absl::DeadlineExceededError("the token has expired");
  return token;
}

std::string PersonalGroup(absl::string_view user) { return absl::StrCat(kPersonalPrefix, user); }

}  // namespace groupcast::service
