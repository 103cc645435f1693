#include "services/websocket_service/proxy/forwarded.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kUnknown = "unknown";
constexpr size_t kExcerptBytesMax = 100;

absl::Status Wrong(ForwardedHeader header, absl::string_view value) {
  const absl::string_view form =
      header == ForwardedHeader::kXForwardedFor
          ? "be IP addresses with commas between them"
          : "have the form of RFC 7239, such as for=192.0.2.1 or for=\"[2001:db8::1]\"";
  return absl::InvalidArgumentError(
      absl::StrCat("The header ", NameOf(header), " must ", form, ", not \"",
                   absl::CHexEscape(value.substr(0, kExcerptBytesMax)), "\"."));
}

// A node is an address, with a port or without. Null: it is none.
std::optional<IpAddress> ParseNode(absl::string_view node) {
  absl::string_view port;
  if (absl::ConsumePrefix(&node, "[")) {
    const size_t end = node.find(']');
    if (end == absl::string_view::npos) return std::nullopt;
    port = node.substr(end + 1);
    node = node.substr(0, end);
    if (!absl::StrContains(node, ':')) return std::nullopt;
  } else if (std::count(node.begin(), node.end(), ':') == 1) {
    const size_t colon = node.find(':');
    port = node.substr(colon);
    node = node.substr(0, colon);
  }
  if (!port.empty()) {
    // RFC 7239 section 6.3 also has obfuscated ports.
    const bool is_port = port.size() >= 2 && port[0] == ':' && port.size() <= 1 + 64 &&
                         std::all_of(port.begin() + 1, port.end(), [](unsigned char c) {
                           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
                         });
    if (!is_port) return std::nullopt;
  }
  return IpAddress::Parse(node);
}

// A node that says that it tells nothing (RFC 7239 section 6.2 and 6.3).
bool IsHidden(absl::string_view node) {
  return absl::EqualsIgnoreCase(node, kUnknown) || absl::StartsWith(node, "_") ||
         absl::StartsWithIgnoreCase(node, absl::StrCat(kUnknown, ":"));
}

bool IsTokenCharacter(unsigned char c) {
  return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", static_cast<char>(c));
}

// Reads the elements of one Forwarded header (RFC 7239 section 4).
class ForwardedReader {
 public:
  explicit ForwardedReader(absl::string_view text) : text_(text) {}

  // Appends the value of `for` of each element. An element without it appends "unknown". False: the
  // header is malformed.
  bool Read(std::vector<std::string>* nodes) {
    do {
      std::optional<std::string> node;
      SkipSpace();
      // An empty element of a list counts for nothing (RFC 9110 section 5.6.1).
      const bool is_empty = text_.empty() || text_[0] == ',';
      while (!is_empty) {
        const std::string name = absl::AsciiStrToLower(ReadToken());
        if (name.empty() || !Consume('=')) return false;
        std::optional<std::string> value = ReadValue();
        if (!value.has_value()) return false;
        if (name == "for") {
          if (node.has_value()) return false;
          node = *std::move(value);
        }
        SkipSpace();
        if (!Consume(';')) break;
        SkipSpace();
      }
      if (!is_empty) nodes->push_back(node.value_or(std::string(kUnknown)));
    } while (Consume(','));
    return text_.empty();
  }

 private:
  void SkipSpace() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t')) text_.remove_prefix(1);
  }
  bool Consume(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::string ReadToken() {
    size_t size = 0;
    while (size < text_.size() && IsTokenCharacter(static_cast<unsigned char>(text_[size]))) ++size;
    std::string token(text_.substr(0, size));
    text_.remove_prefix(size);
    return token;
  }
  // A token or a quoted string. Null: neither.
  std::optional<std::string> ReadValue() {
    if (!Consume('"')) {
      std::string token = ReadToken();
      // Many proxies write an address with a port, or of IPv6, without quotes.
      while (!text_.empty() && absl::StrContains(":[]", text_[0])) {
        token.push_back(text_[0]);
        text_.remove_prefix(1);
        token += ReadToken();
      }
      if (token.empty()) return std::nullopt;
      return token;
    }
    std::string value;
    while (!text_.empty()) {
      char c = text_[0];
      text_.remove_prefix(1);
      if (c == '"') return value;
      if (c == '\\') {
        if (text_.empty()) return std::nullopt;
        c = text_[0];
        text_.remove_prefix(1);
      }
      value.push_back(c);
    }
    return std::nullopt;
  }

  absl::string_view text_;
};

}  // namespace

absl::string_view NameOf(ForwardedHeader header) {
  return header == ForwardedHeader::kXForwardedFor ? "X-Forwarded-For" : "Forwarded";
}

absl::StatusOr<IpAddress> ClientAddress(const ProxyPolicy& policy, const IpAddress& peer,
                                        const std::vector<absl::string_view>& values) {
  if (!policy.trusted.Contains(peer)) return peer;
  std::vector<std::string> nodes;
  for (const absl::string_view value : values) {
    if (policy.header == ForwardedHeader::kXForwardedFor) {
      for (absl::string_view node : absl::StrSplit(value, ',')) {
        node = absl::StripAsciiWhitespace(node);
        if (!node.empty()) nodes.emplace_back(node);
      }
    } else if (!ForwardedReader(value).Read(&nodes)) {
      return Wrong(policy.header, value);
    }
  }
  IpAddress client = peer;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (IsHidden(*node)) break;
    const std::optional<IpAddress> address = ParseNode(*node);
    if (!address.has_value()) return Wrong(policy.header, *node);
    client = *address;
    if (!policy.trusted.Contains(client)) break;
  }
  return client;
}

}  // namespace groupcast::service
