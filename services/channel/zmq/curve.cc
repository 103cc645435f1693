#include "services/channel/zmq/curve.h"

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/key_file.h"

namespace groupcast::service {
namespace {

constexpr size_t kZ85Bytes = 40;
constexpr size_t kBinaryBytes = 32;

// The domain of the requests to a ZapServer. ZeroMQ asks none without one.
constexpr char kZapDomain[] = "groupcast";

absl::Status Wrong(const CurveFile& file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(file.name, ": ", why));
}

bool IsKey(const std::string& text) {
  std::array<uint8_t, kBinaryBytes> binary;
  return text.size() == kZ85Bytes && zmq_z85_decode(binary.data(), text.c_str()) != nullptr;
}

absl::StatusOr<std::vector<std::string>> ReadKeys(const CurveFile& file, bool is_secret) {
  std::string content;
  if (is_secret) {
    absl::StatusOr<std::string> secret = ReadSecretFile(file.path);
    if (!secret.ok()) return Wrong(file, secret.status().message());
    content = *std::move(secret);
  } else {
    absl::StatusOr<KeyFile> open = ReadKeyFile(file.path);
    if (!open.ok()) return Wrong(file, open.status().message());
    content = std::move(open->content);
  }
  std::vector<std::string> keys;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    std::string key(line.substr(0, line.find_first_of(" \t")));
    if (!IsKey(key)) {
      return Wrong(file, absl::StrCat(file.path, ":", number,
                                      " does not begin with a key of 40 characters in Z85, as "
                                      "tools/curve_key makes it"));
    }
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return Wrong(file, absl::StrCat(file.path, " has no key"));
  return keys;
}

absl::StatusOr<std::string> ReadOneKey(const CurveFile& file, bool is_secret) {
  absl::StatusOr<std::vector<std::string>> keys = ReadKeys(file, is_secret);
  if (!keys.ok()) return keys.status();
  if (keys->size() > 1) return Wrong(file, absl::StrCat(file.path, " has more than one key"));
  return std::move(keys->front());
}

absl::Status CheckBoth(const CurveFile& one, const CurveFile& other) {
  if (one.path.empty() || other.path.empty()) {
    const CurveFile& there = one.path.empty() ? other : one;
    const CurveFile& missing = one.path.empty() ? one : other;
    return Wrong(there, absl::StrCat("it needs ", missing.name, " beside it"));
  }
  if (zmq_has("curve") != 1) return Wrong(one, "this libzmq was built without CURVE");
  return absl::OkStatus();
}

// The public key of a secret one. Empty: it is none.
std::string PublicOf(const std::string& secret) {
  std::array<char, kZ85Bytes + 1> key{};
  return zmq_curve_public(key.data(), secret.c_str()) == 0 ? key.data() : "";
}

}  // namespace

absl::StatusOr<CurveServerKeys> ReadCurveServerKeys(const CurveFile& secret,
                                                    const CurveFile& allowed) {
  if (absl::Status status = CheckBoth(secret, allowed); !status.ok()) return status;
  absl::StatusOr<std::string> own = ReadOneKey(secret, /*is_secret=*/true);
  if (!own.ok()) return own.status();
  absl::StatusOr<std::vector<std::string>> keys = ReadKeys(allowed, /*is_secret=*/false);
  if (!keys.ok()) return keys.status();
  return CurveServerKeys{.secret = *std::move(own), .allowed = *std::move(keys)};
}

absl::StatusOr<CurveClientKeys> ReadCurveClientKeys(const CurveFile& secret,
                                                    const CurveFile& server) {
  if (absl::Status status = CheckBoth(secret, server); !status.ok()) return status;
  absl::StatusOr<std::string> own = ReadOneKey(secret, /*is_secret=*/true);
  if (!own.ok()) return own.status();
  absl::StatusOr<std::string> other = ReadOneKey(server, /*is_secret=*/false);
  if (!other.ok()) return other.status();
  std::string own_public = PublicOf(*own);
  if (own_public.empty()) return Wrong(secret, absl::StrCat(secret.path, " has no secret key"));
  return CurveClientKeys{
      .secret = *std::move(own), .own = std::move(own_public), .server = *std::move(other)};
}

void UseCurve(const CurveServerKeys& keys, zmq::socket_t& socket) {
  socket.set(zmq::sockopt::curve_server, true);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret);
  socket.set(zmq::sockopt::zap_domain, kZapDomain);
}

void UseCurve(const CurveClientKeys& keys, zmq::socket_t& socket) {
  socket.set(zmq::sockopt::curve_serverkey, keys.server);
  socket.set(zmq::sockopt::curve_publickey, keys.own);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret);
}

}  // namespace groupcast::service
