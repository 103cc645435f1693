#include "services/http/request_target.h"

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

void ExpectParts(absl::string_view target, absl::string_view host, absl::string_view path,
                 absl::string_view query) {
  const RequestTarget parts = ReadRequestTarget(target);
  EXPECT_EQ(parts.host, host) << target;
  EXPECT_EQ(parts.path, path) << target;
  EXPECT_EQ(parts.query, query) << target;
}

TEST(RequestTargetTest, TheOriginForm) {
  ExpectParts("/", "", "/", "");
  ExpectParts("/a/b?c=d", "", "/a/b", "c=d");
  ExpectParts("/a?", "", "/a", "");
  ExpectParts("/a?b?c", "", "/a", "b?c");
  ExpectParts("/http://a/b", "", "/http://a/b", "");
  ExpectParts("*", "", "*", "");
  ExpectParts("", "", "", "");
}

TEST(RequestTargetTest, TheAbsoluteForm) {
  ExpectParts("http://a.example:80/b/c?d=e", "a.example:80", "/b/c", "d=e");
  ExpectParts("HTTPS://[::1]:80/", "[::1]:80", "/", "");
  ExpectParts("http://a", "a", "/", "");
  ExpectParts("http://a?b=/c", "a", "/", "b=/c");
  ExpectParts("http://", "", "/", "");
  ExpectParts("/a?b=http://c/d", "", "/a", "b=http://c/d");
}

}  // namespace
}  // namespace groupcast::service
