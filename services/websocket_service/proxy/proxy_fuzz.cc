// What proxies write. The first byte chooses: the PROXY protocol, X-Forwarded-For or Forwarded.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "services/websocket_service/proxy/forwarded.h"
#include "services/websocket_service/proxy/proxy_header.h"

namespace groupcast::service {
namespace {

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "proxy_fuzz: %s\n", what);
  std::abort();
}

// However the bytes are cut, the result is the same, and it comes as early as its bytes say.
void CheckProxyHeader(absl::string_view bytes) {
  const ProxyHeader all = ProxyHeader::Read(bytes);
  if (all.result == ProxyHeader::Result::kNeedMore) {
    Require(all.bytes > bytes.size() && all.bytes <= ProxyHeader::kBytesMax, "it needs too much");
  }
  if (all.result != ProxyHeader::Result::kDone) return;
  Require(all.bytes >= ProxyHeader::kFixedBytes && all.bytes <= bytes.size(), "it is too long");
  for (size_t size = 0; size < all.bytes; ++size) {
    const ProxyHeader part = ProxyHeader::Read(bytes.substr(0, size));
    Require(part.result == ProxyHeader::Result::kNeedMore, "a part of a header is no header");
    Require(part.bytes > size && part.bytes <= all.bytes, "a part needs the rest");
  }
  const ProxyHeader exact = ProxyHeader::Read(bytes.substr(0, all.bytes));
  Require(exact.result == all.result && exact.client == all.client, "bytes behind it matter");
}

void CheckForwarded(ForwardedHeader header, absl::string_view text) {
  const std::vector<absl::string_view> values = absl::StrSplit(text, '\n');
  const IpAddress proxy = *IpAddress::Parse("10.0.0.1");
  const IpAddress stranger = *IpAddress::Parse("198.51.100.9");
  const ProxyPolicy policy = {.trusted = *IpNetworks::Create("", "10.0.0.0/8"), .header = header};
  Require(*ClientAddress(policy, stranger, values) == stranger, "a stranger names nobody");
  const absl::StatusOr<IpAddress> client = ClientAddress(policy, proxy, values);
  if (!client.ok()) return;
  // What a client writes in front of it changes nothing.
  std::vector<absl::string_view> more = values;
  const absl::string_view lie =
      header == ForwardedHeader::kXForwardedFor ? "192.0.2.1" : "for=192.0.2.1";
  more.insert(more.begin(), lie);
  const absl::StatusOr<IpAddress> again = ClientAddress(policy, proxy, more);
  const bool is_certain = !policy.trusted.Contains(*client);
  Require(again.ok() && (!is_certain || *again == *client), "a client chooses its own address");
  // A proxy that appends an address is believed.
  more = values;
  more.push_back(header == ForwardedHeader::kXForwardedFor ? "203.0.113.7" : "for=203.0.113.7");
  Require(ClientAddress(policy, proxy, more)->Text() == "203.0.113.7", "the end does not count");
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using groupcast::service::ForwardedHeader;
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      groupcast::service::CheckProxyHeader(rest);
      break;
    case 1:
      groupcast::service::CheckForwarded(ForwardedHeader::kXForwardedFor, rest);
      break;
    default:
      groupcast::service::CheckForwarded(ForwardedHeader::kForwarded, rest);
  }
  return 0;
}
