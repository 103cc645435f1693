#include "groupcast/async.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "groupcast/client.h"
#include "groupcast/testing/fake_server.h"

namespace groupcast {
namespace {

using absl::StatusCode;

// A coroutine that nobody waits for. It ends by itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

// Waits for the value of a future. Only a broken library makes it wait in vain.
template <typename T>
T Get(std::future<T> future) {
  if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
    ADD_FAILURE() << "the future got no value";
    std::abort();
  }
  return future.get();
}

class AsyncTest : public testing::Test {
 protected:
  AsyncTest() {
    ClientOptions options;
    options.url = server_->url();
    options.close_timeout = absl::Milliseconds(50);
    options.backoff_base = absl::Milliseconds(1);
    options.backoff_cap = absl::Milliseconds(10);
    options.on_state = [this](ConnectionState state, const absl::Status&) {
      if (state == ConnectionState::kWaiting && !std::exchange(lost_, true)) lost_told_.set_value();
    };
    client_ = Client::Create(std::move(options)).value();
  }

  static GroupCallbacks Ignore() {
    GroupCallbacks callbacks;
    callbacks.on_message = [](const Message&) {};
    return callbacks;
  }

  // Returns when the client knows that it has no server any more.
  void LoseServer() {
    server_->StopListening();
    server_->DropConnections();
    Get(lost_told_.get_future());
  }

  bool lost_ = false;  // Used on the client's thread alone.
  std::promise<void> lost_told_;
  std::unique_ptr<FakeServer> server_ = FakeServer::Start().value();
  std::unique_ptr<Client> client_;
};

TEST_F(AsyncTest, FuturesGetTheResults) {
  EXPECT_EQ(Get(JoinFuture(*client_, "g", {}, Ignore()))->position.offset, 0u);
  EXPECT_EQ(Get(SendFuture(*client_, "g", "text"))->offset, 1u);
  EXPECT_EQ(Get(SendJsonFuture(*client_, "g", "[1]", {.exclude_self = true}))->offset, 2u);
  const absl::StatusOr<GroupHistory> history = Get(HistoryFuture(*client_, "g", {.limit = 2}));
  ASSERT_EQ(history->messages.size(), 1u) << "without the excluded one";
  EXPECT_EQ(history->messages[0].text, "text");
  EXPECT_EQ(server_->Messages("g")[1].json, "[1]");
  const absl::StatusOr<GroupMembers> page = Get(MembersFuture(*client_, "g", {.limit = 1}));
  ASSERT_EQ(page->members.size(), 1u);
  EXPECT_EQ(page->count, 1u);
}

TEST_F(AsyncTest, FuturesGetTheErrorsOfTheCall) {
  EXPECT_EQ(Get(SendFuture(*client_, "", "text")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Get(SendJsonFuture(*client_, "g", "{")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Get(HistoryFuture(*client_, "")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Get(MembersFuture(*client_, "")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Get(JoinFuture(*client_, "g", {}, {})).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(Get(JoinFuture(*client_, "g", {}, Ignore())).ok());
  EXPECT_EQ(Get(JoinFuture(*client_, "g", {}, Ignore())).status().code(),
            StatusCode::kAlreadyExists);
}

TEST_F(AsyncTest, AJoinWaitsOutWhatIsTransient) {
  server_->FailNext("add_group", "unavailable", /*retry=*/true);
  std::vector<std::string> heard;
  GroupCallbacks callbacks = Ignore();
  callbacks.on_join = [&](const absl::StatusOr<Joined>& joined) {
    heard.push_back(joined.ok() ? "joined" : ErrorWord(joined.status()));
  };
  EXPECT_TRUE(Get(JoinFuture(*client_, "g", {}, std::move(callbacks))).ok());
  client_->Close();
  EXPECT_EQ(heard, (std::vector<std::string>{"unavailable", "joined"}));
}

TEST_F(AsyncTest, AJoinEndsWithWhatIsNot) {
  server_->FailNext("add_group", "forbidden", /*retry=*/false);
  std::string end;
  GroupCallbacks callbacks = Ignore();
  callbacks.on_end = [&](const absl::Status& why) { end = ErrorWord(why); };
  EXPECT_EQ(ErrorWord(Get(JoinFuture(*client_, "g", {}, std::move(callbacks))).status()),
            "forbidden");
  client_->Close();
  EXPECT_EQ(end, "forbidden");
}

TEST_F(AsyncTest, FuturesOutliveTheClient) {
  server_->HoldAcknowledgements();
  auto in_doubt = SendFuture(*client_, "g", "1");
  ASSERT_EQ(server_->AwaitMessages("g", 1), absl::OkStatus());
  LoseServer();
  auto never_written = SendFuture(*client_, "g", "2");
  auto joined = JoinFuture(*client_, "g", {}, Ignore());
  client_.reset();
  EXPECT_EQ(Get(std::move(in_doubt)).status().code(), StatusCode::kUnknown);
  EXPECT_EQ(Get(std::move(never_written)).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(ErrorWord(Get(std::move(joined)).status()), "closed");
}

// No call of the client does this. It is what stands between a defect and a program that hangs.
TEST(AsyncInternalTest, ACallbackThatIsLostCancels) {
  const absl::StatusOr<Position> lost = Get(async_internal::ToFuture<Position>(
      [](const async_internal::Result<Position>&) { return absl::OkStatus(); }));
  EXPECT_EQ(lost.status().code(), StatusCode::kCancelled);
}

Detached Talk(Client& client, GroupCallbacks callbacks, std::promise<std::string>& done) {
  const JoinOptions options;
  const absl::StatusOr<Joined> joined =
      co_await JoinAsync(client, std::string("g"), options, std::move(callbacks));
  const absl::StatusOr<Position> text = co_await SendAsync(client, "g", std::string("text"));
  const absl::StatusOr<Position> json = co_await SendJsonAsync(client, "g", std::string("[1]"));
  const absl::StatusOr<GroupHistory> history = co_await HistoryAsync(client, "g");
  const absl::StatusOr<GroupMembers> members = co_await MembersAsync(client, "g");
  const MembersOptions one = {.limit = 1};
  const absl::StatusOr<GroupMembers> page = co_await MembersAsync(client, "g", one);
  if (!joined.ok() || !text.ok() || !json.ok() || !history.ok() || !members.ok() || !page.ok()) {
    done.set_value("an error");
    co_return;
  }
  done.set_value(history->messages.at(0).json + history->messages.at(1).json);
}

TEST_F(AsyncTest, ACoroutineGoesOnWithTheResults) {
  std::promise<std::string> done;
  Talk(*client_, Ignore(), done);
  EXPECT_EQ(Get(done.get_future()), "\"text\"[1]");
}

Detached SendTo(Client& client, std::string group, std::vector<StatusCode>& results,
                std::thread::id& thread) {
  const absl::StatusOr<Position> sent = co_await SendAsync(client, group, "text");
  results.push_back(sent.status().code());
  thread = std::this_thread::get_id();
}

TEST_F(AsyncTest, ACoroutineGoesOnAtOnceAfterAnErrorOfTheCall) {
  std::vector<StatusCode> results;
  std::thread::id thread;
  SendTo(*client_, "", results, thread);
  EXPECT_EQ(results, std::vector<StatusCode>{StatusCode::kInvalidArgument});
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST_F(AsyncTest, ACoroutineIsResumedOnceBeforeTheClientIsGone) {
  LoseServer();
  std::vector<StatusCode> results;
  std::thread::id thread;
  SendTo(*client_, "g", results, thread);
  client_.reset();
  EXPECT_EQ(results, std::vector<StatusCode>{StatusCode::kCancelled});
  EXPECT_NE(thread, std::this_thread::get_id());
}

Detached SendMany(Client& client, int count, std::atomic<int>& left, std::promise<void>& done) {
  for (int i = 0; i < count; ++i) {
    if (!(co_await SendAsync(client, "g", "text")).ok()) co_return;
  }
  if (--left == 0) done.set_value();
}

// The client's thread may resume, and end, a coroutine while the call that began it still returns.
TEST_F(AsyncTest, ManyThreadsMayBeginCoroutines) {
  constexpr int kThreads = 4;
  constexpr int kCoroutines = 50;
  constexpr int kSends = 3;
  std::atomic<int> left = kThreads * kCoroutines;
  std::promise<void> done;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCoroutines; ++i) SendMany(*client_, kSends, left, done);
    });
  }
  Get(done.get_future());
  threads.clear();
  EXPECT_EQ(server_->Messages("g").size(), size_t{kThreads * kCoroutines * kSends});
}

}  // namespace
}  // namespace groupcast
