// A resolver of the system that hangs, as it may when a network is gone.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "groupcast/testing/client_fixture.h"

namespace {

// Lookups of "hangs.test" wait for it, and find 127.0.0.1 then.
std::shared_future<void> released;
std::atomic<int> lookups = 0;
std::atomic<int> answered = 0;

}  // namespace

// In place of the C library's, which is asked for the rest.
extern "C" int getaddrinfo(const char* host, const char* port, const addrinfo* hints,
                           addrinfo** results) {
  static const auto system =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (std::strcmp(host, "hangs.test") != 0) return system(host, port, hints, results);
  ++lookups;
  std::shared_future<void>(released).wait();
  ++answered;
  return system("127.0.0.1", port, hints, results);
}

namespace groupcast {
namespace {

class ClientLookupTest : public ClientTest {
 protected:
  ClientLookupTest() {
    released = release_.get_future().share();
    options_.url = absl::StrCat("ws://hangs.test", server_.url().substr(server_.url().rfind(':')));
    lookups = answered = 0;
  }

  ~ClientLookupTest() override {
    client_.reset();
    Release();
    // The threads use what the next test changes.
    while (answered < lookups) std::this_thread::yield();
  }

  void Release() {
    if (!std::exchange(is_released_, true)) release_.set_value();
  }

  void AwaitLookup() {
    while (lookups == 0) std::this_thread::yield();
  }

 private:
  std::promise<void> release_;
  bool is_released_ = false;
};

TEST_F(ClientLookupTest, CloseDoesNotWaitForIt) {
  options_.connect_timeout = absl::Hours(1);
  Start();
  AwaitLookup();
  client_->Close();
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
  EXPECT_EQ(answered, 0);
}

TEST_F(ClientLookupTest, ALoopThatIsDestroyedBeforeItAnswersIsNoHindrance) {
  options_.connect_timeout = absl::Hours(1);
  auto loop = std::make_unique<boost::asio::io_context>();
  options_.io_context = loop.get();
  Start();
  while (lookups == 0) loop->poll_one();
  client_.reset();
  loop.reset();
  EXPECT_EQ(answered, 0);
  Release();
}

TEST_F(ClientLookupTest, AttemptsWaitForTheOneLookupThatIsUnderWay) {
  options_.connect_timeout = absl::Milliseconds(20);
  Start();
  for (int attempt = 0; attempt < 3; ++attempt) {
    AwaitState(ConnectionState::kWaiting, StatusCode::kDeadlineExceeded);
  }
  EXPECT_EQ(lookups, 1);
  EXPECT_EQ(answered, 0);
}

TEST_F(ClientLookupTest, AnAnswerThatComesLateIsUsed) {
  Start();
  AwaitLookup();
  EXPECT_EQ(answered, 0);
  Release();
  peer_ = Accept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
}

TEST_F(ClientLookupTest, AHostThatDoesNotExistIsToldAndTriedAgain) {
  options_.url = "ws://no-such-host.invalid:1";
  Start();
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
}

}  // namespace
}  // namespace groupcast
