// What strangers say first, and what the service answers and logs.

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;

// With this time-out, an answer that comes at all is no consequence of it.
const Flags kPatientHandshake = {"--handshake_timeout=24h"};

TEST(FrontDoorTest, AStrangerIsRefusedAtOnceAndTheLogSaysWhatToDo) {
  Groupcast groupcast(/*workers=*/1, kPatientHandshake);
  const std::string proxy_v2("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16);
  const struct {
    std::string bytes;
    std::string answer;
    std::string line;
  } cases[] = {
      {"\x16\x03\x01", "This port has no TLS", "127.0.0.1 spoke TLS to this plain port"},
      {"PRI * HTTP/2.0\r\n", "HTTP/1.1 505", "127.0.0.1 spoke HTTP/2 to this plain port"},
      {proxy_v2, "no PROXY protocol", "127.0.0.1 spoke the PROXY protocol to this plain port"},
  };
  for (const auto& stranger : cases) {
    for (int i = 0; i < 50; ++i) {
      RawClient client(groupcast.service.port());
      client.Write(stranger.bytes);
      client.ReadToEnd();
      EXPECT_THAT(client.received(), HasSubstr(stranger.answer));
    }
    groupcast.service.process().WaitForOutput(stranger.line);
  }
  // One line a minute, whatever they do.
  const std::string output = groupcast.service.process().Output();
  for (const auto& stranger : cases) {
    EXPECT_EQ(output.find(stranger.line), output.rfind(stranger.line)) << output;
  }
}

}  // namespace
}  // namespace groupcast::tests
