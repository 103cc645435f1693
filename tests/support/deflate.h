#ifndef GROUPCAST_TESTS_SUPPORT_DEFLATE_H_
#define GROUPCAST_TESTS_SUPPORT_DEFLATE_H_

#include <zlib.h>

#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::tests {

// The payload of a compressed message (RFC 7692 section 7.2.1), with zlib itself.
std::string Deflate(absl::string_view text, int level = Z_DEFAULT_COMPRESSION);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_DEFLATE_H_
