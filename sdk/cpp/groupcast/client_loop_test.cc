// Clients on a loop of the application.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "groupcast/testing/client_fixture.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;

class ClientLoopTest : public ClientTest {
 protected:
  ClientLoopTest() { options_.io_context = &io_; }

  ~ClientLoopTest() override {
    client_.reset();
    work_.reset();
  }

  void RunLoop(int threads = 1) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { io_.run(); });
  }

  void StopLoop() {
    io_.stop();
    threads_.clear();  // joins
  }

  asio::io_context io_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
      io_.get_executor()};
  std::vector<std::jthread> threads_;
};

TEST_F(ClientLoopTest, CallbacksRunOnTheThreadOfTheLoop) {
  RunLoop();
  const std::thread::id loop = threads_[0].get_id();
  Inbox<bool> on_loop;
  options_.on_state = [&](ConnectionState, const absl::Status&) {
    on_loop.Push(std::this_thread::get_id() == loop);
  };
  StartAndAccept();
  ASSERT_OK(client_->Join(
      "g", [&](const Message&) { on_loop.Push(std::this_thread::get_id() == loop); }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(on_loop.Pop(), true);  // connecting, connected, message
  client_->Close();
  EXPECT_EQ(on_loop.Pop(), true);
}

TEST_F(ClientLoopTest, SeveralThreadsMayRunTheLoopAndCallbacksComeOneAtATime) {
  constexpr int kMessages = 300;
  RunLoop(4);
  StartAndAccept();
  std::atomic<int> inside = 0;
  std::atomic<bool> overlapped = false;
  Inbox<uint64_t> offsets;
  const auto enter_and_leave = [&] {
    if (inside.fetch_add(1) > 0) overlapped = true;
    std::this_thread::yield();
    inside.fetch_sub(1);
  };
  ASSERT_OK(client_->Join("g", [&](const Message& message) {
    enter_and_leave();
    // Its callback is another source of work for the threads.
    (void)client_->Send("h", "x", [&](const absl::StatusOr<Position>&) { enter_and_leave(); });
    offsets.Push(message.offset);
  }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 0}));
  for (uint64_t i = 1; i <= kMessages; ++i) {
    ASSERT_OK(peer_->SendMessage("g", "1", i - 1, i));
    ASSERT_OK(peer_->Reply(Expect("send_to_group").id, "h", {"e", 1000 + i}));
  }
  for (uint64_t i = 1; i <= kMessages; ++i) EXPECT_EQ(offsets.Pop(), i);
  client_.reset();
  EXPECT_FALSE(overlapped);
}

TEST_F(ClientLoopTest, CloseReturnsAtOnceAndTheEndFollowsOnTheLoop) {
  Start();
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  client_->Close();
  client_->Close();
  EXPECT_TRUE(states_.empty()) << "nobody runs the loop yet";
  EXPECT_TRUE(sends_.empty());
  work_.reset();
  io_.run();  // It ends, because the client leaves nothing behind.
  EXPECT_EQ(sends_.Pop()->code, StatusCode::kCancelled);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
  EXPECT_EQ(client_->Send("g", "x").code(), StatusCode::kCancelled);
}

TEST_F(ClientLoopTest, ACallbackMayClose) {
  RunLoop(2);
  StartAndAccept();
  ASSERT_OK(client_->Join("g", [this](const Message&) { client_->Close(); }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  EXPECT_EQ(peer_->AwaitClose().value(), 1000);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
}

TEST_F(ClientLoopTest, ACallbackMayDestroyTheClient) {
  RunLoop(2);
  StartAndAccept();
  ASSERT_OK(client_->Join("g", [this](const Message&) {
    client_.reset();
    messages_.Push({});
  }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  ASSERT_OK(peer_->SendMessage("g", "1", 2, 3));
  EXPECT_EQ(peer_->AwaitClose().value(), 1000);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
  EXPECT_TRUE(messages_.Pop().has_value());
  EXPECT_TRUE(messages_.empty()) << "the second message came to a client that is gone";
}

TEST_F(ClientLoopTest, MayBeDestroyedWhileConnecting) {
  options_.connect_timeout = absl::Hours(1);
  RunLoop(2);
  for (int i = 0; i < 50; ++i) {
    Start();
    if (i % 2 == 0) AwaitState(ConnectionState::kConnecting, StatusCode::kOk);
    ASSERT_OK(client_->Send("g", "x", OnSent()));
    client_.reset();
    EXPECT_EQ(sends_.Pop()->code, StatusCode::kCancelled);
    AwaitState(ConnectionState::kClosed, StatusCode::kOk);
    EXPECT_TRUE(states_.empty());
  }
  work_.reset();
  threads_.clear();  // The loop ends: nothing is left behind.
}

TEST_F(ClientLoopTest, MayBeDestroyedAfterTheLoopWasStopped) {
  RunLoop();
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
  auto held = std::make_shared<int>(1);
  ASSERT_OK(client_->Join("g", [held](const Message&) {}));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  Expect("send_to_group");
  StopLoop();
  ASSERT_OK(client_->Send("g", "y", OnSent()));
  client_->Close();
  EXPECT_TRUE(sends_.empty());

  client_.reset();
  EXPECT_EQ(sends_.Pop()->code, StatusCode::kUnknown);
  EXPECT_EQ(sends_.Pop()->code, StatusCode::kCancelled);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
  EXPECT_EQ(held.use_count(), 1) << "the callbacks are released, though the loop is still there";

  // The loop may even go on. It says goodbye.
  io_.restart();
  RunLoop();
  EXPECT_EQ(peer_->AwaitClose().value(), 1000);
}

TEST_F(ClientLoopTest, TheLoopMayBeDestroyedWithAConnectionThatHasNoClientAnyMore) {
  auto loop = std::make_unique<asio::io_context>();
  options_.io_context = loop.get();
  Start();
  std::thread thread([&] { loop->run(); });
  peer_ = Accept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
  loop->stop();
  thread.join();
  client_.reset();
  loop.reset();
  EXPECT_EQ(peer_->AwaitClose().value(), 1006);
}

TEST_F(ClientLoopTest, ALoopThatNeverRunsIsNoHindrance) {
  Start();
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  client_.reset();
  EXPECT_EQ(sends_.Pop()->code, StatusCode::kCancelled);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
  EXPECT_TRUE(states_.empty());
}

TEST_F(ClientLoopTest, TheDestructorWaitsForARunningCallback) {
  RunLoop(2);
  StartAndAccept();
  std::promise<void> entered;
  std::promise<void> release;
  std::atomic<bool> finished = false;
  ASSERT_OK(client_->Join("g", [&](const Message&) {
    entered.set_value();
    release.get_future().wait();
    finished = true;
  }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  entered.get_future().wait();

  std::promise<void> destroying;
  std::thread destroyer([&] {
    destroying.set_value();
    client_.reset();
    EXPECT_TRUE(finished);
  });
  destroying.get_future().wait();
  release.set_value();
  destroyer.join();
}

TEST_F(ClientLoopTest, AClientGoesOnWhenItsLoopDoes) {
  RunLoop();
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  StopLoop();
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  io_.restart();
  RunLoop(2);
  EXPECT_EQ(messages_.Pop()->offset, 2u);
  ASSERT_OK(peer_->Reply(Expect("send_to_group").id, "g", {"e", 3}));
  EXPECT_EQ(sends_.Pop()->position.offset, 3u);
}

}  // namespace
}  // namespace groupcast
