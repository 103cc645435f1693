#include "services/http_gateway/dashboard/admin_fetch.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "services/http_gateway/dashboard/fake_admin_port.h"

namespace groupcast::service {
namespace {

class AdminFetchTest : public testing::Test {
 protected:
  static constexpr size_t kBytesMax = 100'000;

  // Runs the loop until the request has its answer.
  absl::StatusOr<AdminFetch::Answer> Fetch(const ServiceAddress& to) {
    int calls = 0;
    AdminFetch fetch(loop_.get(), to, "/metrics", kBytesMax, [&] { ++calls; });
    const int calls_expected = fetch.is_done() ? 0 : 1;
    while (!fetch.is_done()) loop_->RunOnce(absl::Seconds(1));
    EXPECT_EQ(calls, calls_expected);
    return fetch.answer();
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  FakeAdminPort port_{loop_.get()};
};

TEST_F(AdminFetchTest, ReturnsStatusAndBody) {
  port_.Answer("/metrics", 200, "groupcast_x 1\n");
  const auto answer = Fetch(port_.port());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "groupcast_x 1\n");
  EXPECT_EQ(port_.requests(), std::vector<std::string>{
                                  absl::StrCat("GET /metrics HTTP/1.1\r\nHost: ", port_.port().text,
                                               "\r\nUser-Agent: groupcast\r\n"
                                               "Connection: close\r\n\r\n")});
}

TEST_F(AdminFetchTest, AStatusIsNoError) {
  port_.Answer("/metrics", 503, "not now");
  const auto answer = Fetch(port_.port());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "not now");
}

TEST_F(AdminFetchTest, TakesChunksAndABodyThatEndsWithTheConnection) {
  port_.AnswerBytes("/metrics",
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(Fetch(port_.port()).value().body, "abcde");
  port_.AnswerBytes("/metrics", "HTTP/1.0 200 OK\r\n\r\nabc");
  EXPECT_EQ(Fetch(port_.port()).value().body, "abc");
}

TEST_F(AdminFetchTest, AnAnswerOverTheLimitIsRefused) {
  port_.Answer("/metrics", 200, std::string(kBytesMax, 'x'));
  EXPECT_EQ(Fetch(port_.port()).value().body.size(), kBytesMax);
  port_.Answer("/metrics", 200, std::string(kBytesMax + 1, 'x'));
  EXPECT_EQ(Fetch(port_.port()).status(),
            absl::ResourceExhaustedError("its answer has more than 100000 bytes"));
  // Without a length beforehand.
  port_.AnswerBytes("/metrics",
                    absl::StrCat("HTTP/1.1 200 OK\r\n\r\n", std::string(kBytesMax + 1, 'x')));
  EXPECT_EQ(Fetch(port_.port()).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(AdminFetchTest, WhatIsNoHttpIsAnError) {
  for (const std::string& bytes :
       {std::string("SSH-2.0-OpenSSH_9.2\r\n"), absl::StrCat(std::string(100, 1), "\r\n\r\n"),
        absl::StrCat("HTTP/1.1 200 OK\r\nX: ", std::string(20'000, 'x')),
        absl::StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
                     std::string(50'000, 'x'))}) {
    port_.AnswerBytes("/metrics", bytes);
    EXPECT_EQ(Fetch(port_.port()).status(), absl::InvalidArgumentError("its answer is not HTTP"))
        << bytes.substr(0, 50);
  }
}

TEST_F(AdminFetchTest, AConnectionThatEndsEarlyIsAnError) {
  const absl::Status early =
      absl::UnavailableError("it ended the connection before its answer was whole");
  for (const char* bytes :
       {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"}) {
    port_.AnswerBytes("/metrics", bytes);
    EXPECT_EQ(Fetch(port_.port()).status(), early) << bytes;
  }
}

TEST_F(AdminFetchTest, APortWithoutAListenerIsAnError) {
  port_.Close();
  EXPECT_EQ(Fetch(port_.port()).status(), absl::UnavailableError("nothing listens there"));
}

TEST_F(AdminFetchTest, EndsWithItsOwner) {
  auto fetch = std::make_unique<AdminFetch>(loop_.get(), port_.port(), "/silent", kBytesMax,
                                            [] { FAIL() << "there is no answer"; });
  while (port_.requests().empty()) loop_->RunOnce(absl::Seconds(1));
  EXPECT_FALSE(fetch->is_done());
  fetch.reset();
  loop_->RunOnce(absl::ZeroDuration());
}

}  // namespace
}  // namespace groupcast::service
