#ifndef GROUPCAST_SERVICES_HTTP_ORIGIN_POLICY_H_
#define GROUPCAST_SERVICES_HTTP_ORIGIN_POLICY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// The origin of a page that has none of its own.
inline constexpr absl::string_view kNullOrigin = "null";

struct OriginPolicyOptions {
  struct List {
    std::string name;     // for errors, such as "--allowed_hosts"
    std::string entries;  // with commas between them
  };

  List allowed_origins;
  List allowed_hosts;
  // Whether pages without an origin of their own may connect: files that a person opens, and
  // sandboxed frames of any page.
  bool allow_null_origin = true;
  // Whether the service listens on a loopback address.
  bool is_loopback = false;
};

// Decides which web pages may connect. Browsers run the pages of all sites, and a page of any site
// can reach every port that its reader's machine can reach. The browser does not prevent that, but
// it tells the truth about the page in two headers:
//
//   Origin  is the page's scheme, host and port (RFC 6454). A page of another site shows here.
//   Host    is the name that the page has called. A site whose name leads to this machine (DNS
//           rebinding) shows here. Its Origin looks like the service's own.
//
// Clients that are no browsers send what they like. So this is no authentication.
class OriginPolicy {
 public:
  enum class Verdict : uint8_t { kPass, kMalformed, kRefused };

  // The defaults, for a listener that is not on loopback.
  OriginPolicy() = default;

  // kInvalidArgument: the message names the list, the wrong entry, and the form of an entry.
  static absl::StatusOr<OriginPolicy> Create(const OriginPolicyOptions& options);

  // Whether one of the lists has an entry: the service is meant for more than its own machine.
  bool has_entries() const { return has_entries_; }

  // `host` is the host of a request, with its port if it has one. Empty: the request names none. It
  // passes, because browsers always name one.
  Verdict CheckHost(absl::string_view host) const;

  // `origin` is the value of the header Origin. `host` has passed CheckHost.
  Verdict CheckOrigin(absl::string_view origin, absl::string_view host) const;

 private:
  struct HostPattern {
    std::string host;               // with brackets around an IPv6 address
    bool is_of_subdomains = false;  // `host` begins with a dot and stands for all names that end so
  };
  struct OriginPattern {
    std::string scheme;
    HostPattern host;
    uint16_t port = 0;  // 0: neither the entry nor its scheme has one
  };

  static bool Matches(const HostPattern& pattern, absl::string_view host);
  // Their errors do not name the list.
  static absl::StatusOr<OriginPattern> ParseOriginPattern(absl::string_view entry);
  static absl::StatusOr<HostPattern> ParseHostPattern(absl::string_view entry);

  bool any_origin_ = false;
  bool null_origin_ = true;
  std::vector<OriginPattern> origins_;
  bool any_host_ = true;
  std::vector<HostPattern> hosts_;
  bool has_entries_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_ORIGIN_POLICY_H_
