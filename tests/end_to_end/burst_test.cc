// More at once than an outbox holds: a member that reads is not slow, whatever size the burst has.

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

constexpr int kSenders = 4;
constexpr int kMessagesEach = 10;
constexpr int kMessageBytes = 60'000;
constexpr int kMembers = 8;

TEST(BurstTest, MembersThatReadGetABurstLargerThanTheirOutbox) {
  // 2.4 MB for each member, through an outbox of 256 KiB.
  Groupcast groupcast(/*workers=*/2, {"--outbox_bytes=262144"});
  std::vector<TestClient> senders;
  for (int i = 0; i < kSenders; ++i) senders.emplace_back(groupcast.service.port());
  std::vector<TestClient> members;
  for (int i = 0; i < kMembers; ++i) {
    members.emplace_back(groupcast.service.port());
    members.back().Join("burst");
  }
  std::vector<std::thread> readers;
  std::vector<std::vector<char>> seen(kMembers);
  for (int i = 0; i < kMembers; ++i) {
    readers.emplace_back([&member = members[i], &seen = seen[i]] {
      for (int n = 0; n < kSenders * kMessagesEach; ++n) {
        const std::string text = member.NextText();
        EXPECT_EQ(text.size(), kMessageBytes);
        seen.push_back(text[0]);
      }
    });
  }
  for (int n = 0; n < kMessagesEach; ++n) {
    for (int i = 0; i < kSenders; ++i) {
      senders[i].Send(absl::StrCat(R"({"cmd":"send_to_group","group_id":"burst","message":")",
                                   std::string(kMessageBytes, static_cast<char>('a' + i)), "\"}"));
    }
  }
  for (std::thread& reader : readers) reader.join();
  for (const std::vector<char>& each : seen) EXPECT_EQ(each, seen[0]);
}

}  // namespace
}  // namespace groupcast::tests
