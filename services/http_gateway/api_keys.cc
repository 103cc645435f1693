#include "services/http_gateway/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kHashPrefix = "sha256:";

bool ReadHash(absl::string_view text, std::array<unsigned char, 32>* hash) {
  if (!absl::StartsWith(text, kHashPrefix)) return false;
  const absl::string_view digits = text.substr(kHashPrefix.size());
  if (digits.size() != 2 * hash->size() || !std::all_of(digits.begin(), digits.end(), [](char c) {
        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
      })) {
    return false;
  }
  const std::string bytes = absl::HexStringToBytes(digits);
  std::copy(bytes.begin(), bytes.end(), hash->begin());
  return true;
}

// The rights of a scope. False: it is no scope.
bool AddScope(absl::string_view scope, Rights* rights) {
  if (scope == "publish") {
    rights->Add(Right::kSend);
  } else if (scope == "read") {
    rights->Add(Right::kJoin);
    rights->Add(Right::kRead);
  } else if (scope == "observe") {
    rights->Add(Right::kObserve);
  } else if (scope == "manage") {
    rights->Add(Right::kObserve);
    rights->Add(Right::kManage);
  } else {
    return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<ApiKeys> ApiKeys::Read(const ConfigurationFile& file) {
  ApiKeys keys;
  std::set<std::string> names;
  const auto& given = file.values().api_keys();
  const auto wrong = [&](int number, absl::string_view field, absl::string_view words) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.Place(absl::StrCat("api_keys[", number, "]", field)), words));
  };
  for (int i = 0; i < given.size(); ++i) {
    const configuration::v1::ApiKey& values = given[i];
    if (keys.keys_.size() == kKeysMax) {
      return wrong(i, "", absl::StrCat(": there may be ", kKeysMax, " keys"));
    }
    Entry entry;
    auto key = std::make_shared<ApiKey>();
    key->name = values.name();
    if (key->name.empty() || key->name.size() > kNameBytesMax) {
      return wrong(i, ".name", absl::StrCat(" must have 1 to ", kNameBytesMax, " bytes"));
    }
    if (!names.insert(key->name).second) {
      return wrong(i, ".name", absl::StrCat("=", key->name, " is the name of another key too"));
    }
    if (!ReadHash(values.hash(), &entry.hash)) {
      return wrong(i, ".hash",
                   " must be sha256: and 64 hexadecimal digits, as tools/api_key prints them");
    }
    for (const Entry& other : keys.keys_) {
      if (other.hash == entry.hash) {
        return wrong(i, ".hash", absl::StrCat(" is that of the key ", other.key->name, " too"));
      }
    }
    Rights rights;
    if (values.scopes().empty()) {
      return wrong(i, ".scopes", " must name publish, read, observe or manage");
    }
    for (int scope = 0; scope < values.scopes_size(); ++scope) {
      if (!AddScope(values.scopes(scope), &rights)) {
        return wrong(
            i, absl::StrCat(".scopes[", scope, "]"),
            absl::StrCat("=", values.scopes(scope), " must be publish, read, observe or manage"));
      }
    }
    if (values.groups().empty()) key->grants.Add("*", rights);
    for (const std::string& group : values.groups()) key->grants.Add(group, rights);
    entry.key = std::move(key);
    keys.keys_.push_back(std::move(entry));
  }
  return keys;
}

const ApiKey* ApiKeys::Find(absl::string_view key) const {
  Hash hash;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), hash.data());
  const ApiKey* found = nullptr;
  for (const Entry& entry : keys_) {
    if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = entry.key.get();
  }
  return found;
}

bool ApiKeys::LooksLikeKey(absl::string_view text) { return absl::StartsWith(text, kPrefix); }

}  // namespace groupcast::service
