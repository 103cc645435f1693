#ifndef SDK_CPP_GROUPCAST_TESTING_CLIENT_FIXTURE_H_
#define SDK_CPP_GROUPCAST_TESTING_CLIENT_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "groupcast/client.h"
#include "groupcast/testing/scripted_server.h"

namespace groupcast {

using absl::StatusCode;

#define ASSERT_OK(expression) ASSERT_EQ((expression), absl::OkStatus())

// Hands what callbacks hear to the test's thread. std::mutex, because the thread sanitizer does not
// see into the system's Abseil.
template <typename T>
class Inbox {
 public:
  void Push(T value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    values_.push_back(std::move(value));
    filled_.notify_one();
  }

  // Waits for the next value; nothing only if the test is broken.
  std::optional<T> Pop() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!filled_.wait_for(lock, std::chrono::seconds(60), [this] { return !values_.empty(); })) {
      ADD_FAILURE() << "nothing came";
      return std::nullopt;
    }
    std::optional<T> value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

  bool empty() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return values_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<T> values_;
};

// What a callback was given, without sharing a Status between threads.
struct Outcome {
  StatusCode code = StatusCode::kOk;
  std::string word;
  Position position;
  bool recovered = false;
};

inline Outcome OutcomeOf(const absl::StatusOr<Position>& result) {
  if (result.ok()) return {StatusCode::kOk, "", *result};
  return {result.status().code(), ErrorWord(result.status()), {}};
}

inline Outcome OutcomeOf(const absl::StatusOr<Joined>& result) {
  if (result.ok()) return {StatusCode::kOk, "", result->position, result->recovered};
  return {result.status().code(), ErrorWord(result.status()), {}};
}

inline constexpr char kEpoch[] = "5f0c2ab3d1e94477";

struct State {
  ConnectionState state;
  StatusCode why;
  std::string text{};  // The message of the reason.

  friend bool operator==(const State&, const State&) = default;
};

// A client, and the server that it speaks to, which the test plays.
class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    options_.url = server_.url();
    options_.close_timeout = absl::Milliseconds(50);
    options_.backoff_base = absl::Milliseconds(1);
    options_.backoff_cap = absl::Milliseconds(10);
    options_.on_state = [this](ConnectionState state, const absl::Status& why) {
      states_.Push({state, why.code(), std::string(why.message())});
    };
  }

  void Start() {
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(options_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  std::unique_ptr<ScriptedPeer> Accept() {
    absl::StatusOr<std::unique_ptr<ScriptedPeer>> peer = server_.Accept();
    EXPECT_TRUE(peer.ok()) << peer.status();
    return peer.ok() ? *std::move(peer) : nullptr;
  }

  void StartAndAccept() {
    Start();
    peer_ = Accept();
    ASSERT_NE(peer_, nullptr);
  }

  absl::Status Join(absl::string_view group_id, const JoinOptions& options = {}) {
    return client_->Join(
        group_id, options, [this](const Message& message) { messages_.Push(message); },
        [this](const absl::StatusOr<Joined>& result) { joins_.Push(OutcomeOf(result)); },
        [this](const Gap& gap) { gaps_.Push(gap); });
  }

  SendCallback OnSent() {
    return [this](const absl::StatusOr<Position>& result) { sends_.Push(OutcomeOf(result)); };
  }

  // Waits until the client is in `state`, for this reason. Returns the reason's text.
  std::string AwaitState(ConnectionState state, StatusCode why) {
    while (std::optional<State> next = states_.Pop()) {
      if (next->state != state) continue;
      EXPECT_EQ(next->why, why) << next->text;
      return next->text;
    }
    return "";
  }

  // The next command, which must be `cmd`.
  ReceivedCommand Expect(absl::string_view cmd) {
    absl::StatusOr<ReceivedCommand> command = peer_->NextCommand();
    EXPECT_TRUE(command.ok()) << command.status();
    if (!command.ok()) return {};
    EXPECT_EQ(command->cmd, cmd);
    return *std::move(command);
  }

  ScriptedServer server_;
  ClientOptions options_;
  Inbox<State> states_;
  Inbox<Message> messages_;
  Inbox<Outcome> joins_;
  Inbox<Outcome> sends_;
  Inbox<Gap> gaps_;
  std::unique_ptr<ScriptedPeer> peer_;
  std::unique_ptr<Client> client_;  // Goes first: its callbacks use the others.
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TESTING_CLIENT_FIXTURE_H_
