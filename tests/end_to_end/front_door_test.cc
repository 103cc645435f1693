// What strangers say first, and what the service answers and logs.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory.h"
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
      {proxy_v2, "takes the PROXY protocol from trusted",
       "127.0.0.1 spoke the PROXY protocol to this plain port"},
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

// A directory with one page of some bytes. It returns its path.
std::string DirectoryWithPage(size_t bytes) {
  const std::string directory = NewTempPath("pages");
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/large.bin") << std::string(bytes, 'x');
  return directory;
}

// The answers share one body: the readers' number costs nothing.
TEST(FrontDoorTest, PagesThatNobodyReadsCostOneBody) {
  constexpr size_t kPageBytes = 20'000'000;
  Groupcast groupcast(/*workers=*/1, {"--pages=" + DirectoryWithPage(kPageBytes)});
  const pid_t worker = groupcast.service.WorkerPids().at(0);
  const int64_t before = AnonymousMemoryKib(worker);
  std::vector<RawClient> clients;
  for (int i = 0; i < 60; ++i) {
    clients.emplace_back(groupcast.service.port(), /*receive_buffer_bytes=*/4'096);
    clients.back().Write("GET /large.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    ASSERT_TRUE(clients.back().ReadMore());
  }
  EXPECT_LT(AnonymousMemoryKib(worker) - before, int64_t{2 * kPageBytes / 1024});

  // And a reader gets all of it.
  RawClient reader(groupcast.service.port());
  reader.Write("GET /large.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  reader.ReadToEnd();
  const size_t body = reader.received().find("\r\n\r\n") + 4;
  EXPECT_EQ(reader.received().size() - body, kPageBytes);
}

}  // namespace
}  // namespace groupcast::tests
