#include "services/http_gateway/api_description.h"

#include <set>
#include <string>
#include <utility>

#include "boost/json.hpp"
#include "gtest/gtest.h"
#include "services/http_gateway/problem.h"
#include "services/protocol/error.h"

namespace groupcast::service {
namespace {

// tests/http_gateway/openapi_test.js holds the rest of the document against the service.
TEST(ApiDescriptionTest, NamesEachCodeThatTheServiceHas) {
  std::set<std::string> codes;
  // Beyond the last code, the words repeat that of kInternal.
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    codes.emplace(ErrorWord(static_cast<ErrorCode>(code)));
  }
  for (const absl::string_view code :
       {kBadRequest, kNotFound, kMethodNotAllowed, kUnsupportedMediaType, kRequestTimeout}) {
    codes.emplace(code);
  }
  std::set<std::string> described;
  const boost::json::value document =
      boost::json::parse({kApiDescription.data(), kApiDescription.size()});
  for (const auto& code : document.at_pointer("/components/schemas/Code/enum").as_array()) {
    described.emplace(code.as_string());
  }
  EXPECT_EQ(described, codes);
}

}  // namespace
}  // namespace groupcast::service
