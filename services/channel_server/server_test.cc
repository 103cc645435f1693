// The channel server and its engine over real sockets, within one process.

#include "services/channel_server/server.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel/zmq/zmq_channel.h"
#include "services/channel_server/testing/running_server.h"
#include "services/common/event_loop.h"
#include "services/common/log_capture.h"
#include "zmq.hpp"

namespace groupcast::service {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

class Recorder final : public ChannelListener {
 public:
  void OnSubscribed(absl::string_view group_id, const Position& head) override {
    heads[std::string(group_id)].push_back(head);
  }
  void OnGap(absl::string_view, const Gap& gap) override { gaps.push_back(gap); }
  void OnRoom() override {}
  void OnMessage(const Message& message) override {
    messages.push_back(absl::StrCat(message.group_id, " ", message.previous, "→", message.offset,
                                    " ", message.content.data));
    last_offset = message.offset;
  }
  void OnConnectionState(bool connected) override { states.push_back(connected); }
  void OnMisconfigured(const absl::Status& why) override { misconfigured = why; }

  std::map<std::string, std::vector<Position>> heads;
  std::vector<std::string> messages;
  std::vector<Gap> gaps;
  std::vector<bool> states;
  uint64_t last_offset = 0;
  Position acknowledged;
  absl::Status misconfigured;
};

class ServerTest : public testing::Test {
 protected:
  static ServerOptions Options(uint16_t port = 0) { return ServerOptionsOnPort(port); }

  std::unique_ptr<ZmqChannel> Connect(const RunningServer& server, Recorder* recorder,
                                      ZmqChannelOptions options = {}) {
    options.server = server.address();
    absl::StatusOr<std::unique_ptr<ZmqChannel>> channel =
        ZmqChannel::Create(options, loop_.get(), recorder);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *std::move(channel);
  }

  // Turns the loop until `done`; false if that takes too long.
  bool RunUntil(const std::function<bool()>& done) {
    const absl::Time give_up = absl::Now() + kPatience;
    while (!done()) {
      if (absl::Now() > give_up) return false;
      loop_->RunOnce(absl::Milliseconds(20));
    }
    return true;
  }

  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
};

TEST_F(ServerTest, APublicationReachesAllSubscribersInOneOrder) {
  RunningServer server(Options());
  Recorder first_log;
  Recorder second_log;
  const auto first = Connect(server, &first_log);
  const auto second = Connect(server, &second_log);
  first->Subscribe("g");
  second->Subscribe("g");
  ASSERT_TRUE(RunUntil([&] {
    return first->connected() && second->connected() && !first_log.heads["g"].empty() &&
           !second_log.heads["g"].empty();
  }));
  int acknowledged = 0;
  for (int i = 0; i < 1'000; ++i) {
    ZmqChannel& sender = i % 2 == 0 ? *first : *second;
    const std::string text = absl::StrCat("m", i);
    sender.Publish({.group_id = "g", .content = {.data = text}},
                   [&](absl::StatusOr<Position> position) {
                     EXPECT_TRUE(position.ok()) << position.status();
                     ++acknowledged;
                   });
  }
  ASSERT_TRUE(RunUntil([&] {
    return acknowledged == 1'000 && first_log.messages.size() == 1'000 &&
           second_log.messages.size() == 1'000;
  }));
  EXPECT_EQ(first_log.messages, second_log.messages);
}

TEST_F(ServerTest, TopicsDoNotMatchByPrefix) {
  RunningServer server(Options());
  Recorder log;
  const auto channel = Connect(server, &log);
  channel->Subscribe("12");
  channel->Subscribe("1234");
  ASSERT_TRUE(RunUntil([&] { return channel->connected() && log.heads.size() == 2; }));
  for (const char* id : {"1", "12", "123", "1234"})
    channel->Publish({.group_id = id, .content = {.data = "x"}}, [](auto) {});
  ASSERT_TRUE(RunUntil([&] { return log.messages.size() == 2; }));
  EXPECT_EQ(log.messages, std::vector<std::string>({"12 0→2 x", "1234 0→4 x"}));
}

// The announcement says that the subscription is in place: not one message after it may be missing.
TEST_F(ServerTest, AnAnnouncementIsAJoinPointAlsoUnderLoad) {
  RunningServer server(Options());
  Recorder sender_log;
  uint64_t acknowledged = 0;
  const auto sender = Connect(server, &sender_log);
  ASSERT_TRUE(RunUntil([&] { return sender->connected(); }));
  for (int round = 0; round < 20; ++round) {
    Recorder log;
    const auto joiner = Connect(server, &log);
    joiner->Subscribe("g");
    ASSERT_TRUE(RunUntil([&] {
      sender->Publish({.group_id = "g", .content = {.data = "x"}},
                      [&](absl::StatusOr<Position> position) {
                        ASSERT_TRUE(position.ok()) << position.status();
                        acknowledged = position->offset;
                      });
      return !log.heads["g"].empty() && log.last_offset > log.heads["g"][0].offset;
    }));
    ASSERT_EQ(log.heads["g"].size(), 1u);
    const uint64_t head = log.heads["g"][0].offset;
    // The first message after the announcement is there, and names its head as its predecessor.
    EXPECT_TRUE(std::any_of(log.messages.begin(), log.messages.end(),
                            [&](const std::string& message) {
                              return absl::StrContains(message,
                                                       absl::StrCat(" ", head, "→", head + 1, " "));
                            }))
        << "head " << head;
    ASSERT_TRUE(RunUntil([&] { return acknowledged >= log.last_offset; }));
  }
}

TEST_F(ServerTest, TenThousandSubscriptionsAreAllAnnounced) {
  RunningServer server(Options());
  Recorder log;
  const auto channel = Connect(server, &log);
  for (int i = 0; i < 10'000; ++i) channel->Subscribe(absl::StrCat("group ", i));
  ASSERT_TRUE(RunUntil([&] { return log.heads.size() == 10'000; }));
}

// A worker comes back with all its groups, while two others talk in a group that all three have.
TEST_F(ServerTest, AWorkerWithManyGroupsHoldsUpNobody) {
  constexpr int kGroups = 50'000;
  RunningServer server(Options());
  Recorder first_log;
  Recorder second_log;
  Recorder many_log;
  std::atomic<bool> many_is_there = false;
  const auto first = Connect(server, &first_log);
  const auto second = Connect(server, &second_log);
  first->Subscribe("g");
  second->Subscribe("g");
  ASSERT_TRUE(RunUntil(
      [&] { return first_log.heads["g"].size() == 1 && second_log.heads["g"].size() == 1; }));
  const auto many_loop = *EventLoop::Create();
  std::thread others([&, address = server.address()] {
    const auto many = *ZmqChannel::Create({.server = address}, many_loop.get(), &many_log);
    many->Subscribe("g");
    for (int i = 1; i < kGroups; ++i) many->Subscribe(absl::StrCat("group ", i));
    const absl::Time give_up = absl::Now() + kPatience;
    while (many_log.heads.size() < kGroups && absl::Now() < give_up) {
      many_loop->RunOnce(absl::Milliseconds(20));
    }
    EXPECT_EQ(many->counters().gaps, 0u);
    many_is_there = true;
  });
  // Each says something when it has heard the other.
  size_t said = 0;
  ASSERT_TRUE(RunUntil([&] {
    if (first_log.messages.size() == said && second_log.messages.size() == said && !many_is_there) {
      ++said;
      (said % 2 == 0 ? *first : *second)
          .Publish({.group_id = "g", .content = {.data = "x"}},
                   [](const auto& position) { EXPECT_TRUE(position.ok()) << position.status(); });
    }
    return many_is_there && first_log.messages.size() == said && second_log.messages.size() == said;
  }));
  others.join();
  EXPECT_EQ(many_log.heads.size(), static_cast<size_t>(kGroups));
  EXPECT_GT(said, 20u);
  EXPECT_EQ(first->counters().repairs + second->counters().repairs, 0u);
}

TEST_F(ServerTest, HistoryIsReadableOverControl) {
  RunningServer server(Options());
  Recorder log;
  const auto channel = Connect(server, &log);
  ASSERT_TRUE(RunUntil([&] { return channel->connected(); }));
  int acknowledged = 0;
  for (const char* text : {"a", "b", "c"}) {
    channel->Publish(
        {.group_id = "g", .content = {.kind = Content::Kind::kJson, .data = text, .sent_at_ms = 5}},
        [&](absl::StatusOr<Position> position) {
          ++acknowledged;
          log.acknowledged = position.value();
        });
  }
  ASSERT_TRUE(RunUntil([&] { return acknowledged == 3; }));
  absl::StatusOr<History> history = absl::UnknownError("not answered");
  channel->FetchHistory("g", {log.acknowledged.epoch, 1}, 0,
                        [&](absl::StatusOr<History> answer) { history = std::move(answer); });
  ASSERT_TRUE(RunUntil([&] { return history.ok(); }));
  ASSERT_EQ(history->messages.size(), 2u);
  EXPECT_EQ(history->messages[1].data, "c");
  EXPECT_EQ(history->messages[1].previous, 2u);
  EXPECT_EQ(history->messages[1].kind, Content::Kind::kJson);
  EXPECT_EQ(history->messages[1].sent_at_ms, 5);
  EXPECT_EQ(history->head.offset, 3u);
}

TEST_F(ServerTest, WithoutALogARestartIsANewEpochAndIsTold) {
  auto server = std::make_unique<RunningServer>(Options());
  const uint16_t port = server->address().publish_port;
  Recorder log;
  const auto channel = Connect(*server, &log);
  channel->Subscribe("g");
  ASSERT_TRUE(RunUntil([&] { return channel->connected() && log.heads["g"].size() == 1; }));
  server.reset();
  ASSERT_TRUE(RunUntil([&] { return !channel->connected(); }));
  // What is published meanwhile waits.
  bool published = false;
  channel->Publish({.group_id = "g", .content = {.data = "again"}},
                   [&](absl::StatusOr<Position> position) { published = position.ok(); });
  server = std::make_unique<RunningServer>(Options(port));
  ASSERT_TRUE(RunUntil([&] { return published && log.messages.size() == 1; }));
  EXPECT_EQ(log.messages[0], "g 0→1 again");
  ASSERT_EQ(log.gaps.size(), 1u);
  EXPECT_TRUE(log.gaps[0].new_epoch);
  EXPECT_NE(log.gaps[0].to.epoch, log.heads["g"].front().epoch);
  EXPECT_EQ(log.states, std::vector<bool>({true, false, true}));
}

// Each such hello begins a new epoch, and anybody can say it if the server has no keys.
TEST_F(ServerTest, WorkersThatClaimToBeAheadDoNotFloodTheLog) {
  const LogCapture log;
  RunningServer server(Options());
  zmq::context_t context;
  zmq::socket_t control(context, zmq::socket_type::dealer);
  SetCommonOptions(control);
  control.set(zmq::sockopt::routing_id, RoutingId(PublisherId{1}));
  control.connect(TcpEndpoints(server.address()).control);
  uint64_t epoch = 0;
  // Returns whether the answer names another epoch.
  const auto begins_epoch = [&] {
    channel::v1::Hello hello;
    hello.set_first_unacknowledged(1);
    hello.set_epoch(epoch);
    hello.set_highest_offset(1'000'000);
    control.send(zmq::message_t(ControlFrame(ControlKind::kHello, hello)), zmq::send_flags::none);
    zmq::message_t frame;
    do {
      if (!control.recv(frame)) return false;
    } while (ParseControlFrame(View(frame))->kind != ControlKind::kHelloReply);
    channel::v1::HelloReply reply;
    EXPECT_TRUE(reply.ParseFromString(std::string(ParseControlFrame(View(frame))->body)));
    return std::exchange(epoch, reply.epoch()) != reply.epoch();
  };
  int epochs = 0;
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 20; ++i) epochs += begins_epoch();
  EXPECT_EQ(epochs, 20);
  const auto seconds = static_cast<int>(absl::ToInt64Seconds(absl::Now() - begin));
  EXPECT_GE(log.Count("a new epoch begins"), 1);
  EXPECT_LE(log.Count("a new epoch begins"), seconds + 1);
}

TEST_F(ServerTest, WithALogARestartGoesOnWhereItWas) {
  ServerOptions options = Options();
  options.data_dir = absl::StrCat(testing::TempDir(), "/log_", RandomId());
  options.broker.has_log = true;
  options.broker.record_room_bytes = GroupLog::kRecordHeaderBytes;
  options.log.boot_id = "this one";
  auto server = std::make_unique<RunningServer>(options);
  options.address = server->address();
  Recorder log;
  const auto channel = Connect(*server, &log);
  channel->Subscribe("g");
  ASSERT_TRUE(RunUntil([&] { return channel->connected() && log.heads["g"].size() == 1; }));
  int acknowledged = 0;
  const auto publish = [&](const char* text) {
    channel->Publish({.group_id = "g", .content = {.data = text}},
                     [&](absl::StatusOr<Position> position) { acknowledged += position.ok(); });
  };
  publish("before");
  ASSERT_TRUE(RunUntil([&] { return acknowledged == 1; }));
  server.reset();
  ASSERT_TRUE(RunUntil([&] { return !channel->connected(); }));
  publish("meanwhile");
  server = std::make_unique<RunningServer>(options);
  ASSERT_TRUE(RunUntil([&] { return acknowledged == 2 && log.messages.size() == 2; }));
  EXPECT_EQ(log.messages, std::vector<std::string>({"g 0→1 before", "g 1→2 meanwhile"}));
  EXPECT_TRUE(log.gaps.empty());

  // Somebody who was not there gets what is kept.
  absl::StatusOr<History> history = absl::UnknownError("not answered");
  channel->FetchHistory("g", {log.heads["g"][0].epoch, 0}, 0,
                        [&](absl::StatusOr<History> answer) { history = std::move(answer); });
  ASSERT_TRUE(RunUntil([&] { return history.ok(); }));
  ASSERT_EQ(history->messages.size(), 2u);
  EXPECT_EQ(history->messages[0].data, "before");
}

TEST_F(ServerTest, CountsWhatItDoesForOtherThreads) {
  ServerOptions options = Options();
  options.data_dir = absl::StrCat(testing::TempDir(), "/log_", RandomId());
  options.broker.has_log = true;
  options.broker.record_room_bytes = GroupLog::kRecordHeaderBytes;
  options.broker.retention.bytes_max = 12'345'678;
  RunningServer server(options);
  const auto observed = [](const ServerNumbers::Durations& durations) {
    return std::accumulate(durations.counts.begin(), durations.counts.end(), uint64_t{0});
  };
  Recorder log;
  const auto channel = Connect(server, &log);
  channel->Subscribe("g");
  ASSERT_TRUE(RunUntil([&] { return channel->connected() && log.heads["g"].size() == 1; }));
  int acknowledged = 0;
  for (int i = 0; i < 3; ++i) {
    channel->Publish(
        {.group_id = "g", .content = {.data = std::string(1'000, 'x') + std::to_string(i)}},
        [&](absl::StatusOr<Position> position) { acknowledged += position.ok(); });
  }
  bool is_read = false;
  channel->FetchHistory("g", {}, 1, [&](const absl::StatusOr<History>&) { is_read = true; });
  ASSERT_TRUE(RunUntil([&] { return acknowledged == 3 && is_read; }));
  ASSERT_TRUE(RunUntil([&] {
    const ServerNumbers numbers = server.numbers();
    return numbers.workers == 1 && numbers.digests > 0 && numbers.publications == 3 &&
           numbers.history_reads == 1;
  }));
  const ServerNumbers numbers = server.numbers();
  EXPECT_EQ(numbers.groups, 1u);
  EXPECT_GE(numbers.announcements, 1u);
  EXPECT_EQ(numbers.retained_messages, 3u);
  EXPECT_GT(numbers.retained_bytes, 3'000u);
  EXPECT_EQ(numbers.retained_limit_bytes, 12'345'678u);
  EXPECT_GT(numbers.publication_bytes, 3'000u);
  EXPECT_LT(numbers.publication_bytes, 3'600u);
  EXPECT_GT(numbers.log_bytes, 3'000u);
  EXPECT_GE(observed(numbers.log_writes), 1u);
  EXPECT_LE(observed(numbers.log_writes), 4u) << "one for each turn that changed something";
  EXPECT_GT(numbers.log_writes.sum_us, 0u);
  EXPECT_GT(observed(numbers.turns), observed(numbers.log_writes));
  EXPECT_GE(numbers.turns.sum_us, numbers.log_writes.sum_us);
  EXPECT_EQ(numbers.lagging_workers, 0u);
  EXPECT_EQ(numbers.subscriber_waits, 0u);
  EXPECT_EQ(numbers.droppable_frames, 0u);
}

TEST_F(ServerTest, AWindowThatIsFullRefusesInsteadOfGrowing) {
  RunningServer server(Options());
  Recorder log;
  const auto channel = Connect(server, &log, {.client = {.window = {.bytes_max = 1'000}}});
  ASSERT_TRUE(RunUntil([&] { return channel->connected(); }));
  int done = 0;
  int refused = 0;
  for (int i = 0; i < 100; ++i) {
    channel->Publish({.group_id = "g", .content = {.data = "x"}},
                     [&](absl::StatusOr<Position> position) {
                       ++done;
                       if (position.status().code() == absl::StatusCode::kUnavailable) ++refused;
                     });
  }
  ASSERT_TRUE(RunUntil([&] { return done == 100; }));
  EXPECT_GT(refused, 50);
  EXPECT_LT(refused, 100);
}

TEST_F(ServerTest, AWorkerThatTakesMoreThanTheServerIsMisconfigured) {
  RunningServer server(Options());
  Recorder log;
  const auto channel = Connect(server, &log, {.client = {.max_message_bytes = 1 << 20}});
  ASSERT_TRUE(RunUntil([&] { return !log.misconfigured.ok(); }));
  EXPECT_FALSE(channel->connected());
}

TEST_F(ServerTest, APortInUseIsNamed) {
  RunningServer server(Options());
  const absl::StatusOr<std::unique_ptr<Server>> second =
      Server::Create(Options(server.address().publish_port));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(absl::StrContains(second.status().message(),
                                absl::StrCat(":", server.address().publish_port)));
}

// The queues on both sides are short, and what is sent is more than the kernel keeps of a
// connection.
class SlowSubscriberTest : public ServerTest {
 protected:
  static constexpr int kMessages = 3'000;
  static constexpr size_t kMessageBytes = 20'000;

  static ServerOptions WithPatience(absl::Duration patience) {
    ServerOptions options = Options();
    options.subscriber_queue_frames_max = 100;
    options.subscriber_patience = patience;
    return options;
  }

  // `turn` is called while there is no room for more.
  void Publish(ZmqChannel* publisher, const std::function<void()>& turn) {
    const std::string text(kMessageBytes, 'x');
    for (int i = 0; i < kMessages; ++i) {
      while (!publisher->HasRoomFor({.bytes = 1 + kMessageBytes})) turn();
      publisher->Publish({.group_id = "g", .content = {.data = text}},
                         [this](absl::StatusOr<Position> position) {
                           EXPECT_TRUE(position.ok()) << position.status();
                           ++acknowledged_;
                         });
    }
  }

  std::unique_ptr<ZmqChannel> ConnectSlow(const RunningServer& server, Recorder* log) {
    std::unique_ptr<ZmqChannel> slow = *ZmqChannel::Create(
        {.server = server.address(), .receive_queue_frames_max = 100}, slow_loop_.get(), log);
    slow->Subscribe("g");
    EXPECT_TRUE(RunSlowUntil([&] { return log->heads["g"].size() == 1; }));
    return slow;
  }
  void TurnBoth() {
    slow_loop_->RunOnce(absl::ZeroDuration());
    loop_->RunOnce(absl::Milliseconds(1));
  }
  bool RunSlowUntil(const std::function<bool()>& done) {
    return RunUntil([&] {
      slow_loop_->RunOnce(absl::ZeroDuration());
      return done();
    });
  }

  std::unique_ptr<EventLoop> slow_loop_ = *EventLoop::Create();
  int acknowledged_ = 0;
};

TEST_F(SlowSubscriberTest, SetsThePaceAndLosesNothing) {
  RunningServer server(WithPatience(absl::Minutes(10)));
  Recorder log;
  Recorder slow_log;
  const auto publisher = Connect(server, &log);
  ASSERT_TRUE(RunUntil([&] { return publisher->connected(); }));
  const auto slow = ConnectSlow(server, &slow_log);
  Publish(publisher.get(), [this] { TurnBoth(); });
  EXPECT_LT(acknowledged_, kMessages);
  ASSERT_TRUE(RunSlowUntil([&] { return slow_log.messages.size() == kMessages; }));
  EXPECT_TRUE(RunUntil([&] { return acknowledged_ == kMessages; }));
  EXPECT_EQ(slow->counters().repairs, 0u);
  EXPECT_GT(server.numbers().subscriber_waits, 0u);
  EXPECT_LT(server.numbers().subscriber_waits, static_cast<uint64_t>(kMessages))
      << "a wait counts once, however often the server tries";
  EXPECT_EQ(server.numbers().subscriber_timeouts, 0u);
  EXPECT_EQ(server.numbers().droppable_frames, 0u);
}

// Nothing but publications waits: joins and histories are answered, and the server stops when it is
// told to, however long its patience is.
TEST_F(SlowSubscriberTest, HoldsUpNeitherJoinsNorHistoryNorTheEnd) {
  auto server = std::make_unique<RunningServer>(WithPatience(absl::Minutes(10)));
  Recorder log;
  Recorder slow_log;
  const auto publisher = Connect(*server, &log);
  ASSERT_TRUE(RunUntil([&] { return publisher->connected(); }));
  const auto slow = ConnectSlow(*server, &slow_log);
  Publish(publisher.get(), [this] { loop_->RunOnce(absl::Milliseconds(1)); });
  // The server waits for the slow one when joins are answered and acknowledgements do not go on.
  constexpr int kAnswersWhileItWaits = 20;
  int in_a_row = 0;
  for (int i = 0; in_a_row < kAnswersWhileItWaits; ++i) {
    const int before = acknowledged_;
    const std::string group_id = absl::StrCat("join ", i);
    publisher->Subscribe(group_id);
    bool is_read = false;
    publisher->FetchHistory("g", {}, 10, [&](absl::StatusOr<History> history) {
      EXPECT_TRUE(history.ok()) << history.status();
      is_read = true;
    });
    ASSERT_TRUE(RunUntil([&] { return is_read && log.heads[group_id].size() == 1; }));
    in_a_row = acknowledged_ == before ? in_a_row + 1 : 0;
  }
  EXPECT_LT(acknowledged_, kMessages);
  server = nullptr;
  // It stands where it was: no message was skipped for it.
  EXPECT_EQ(slow->counters().gaps, 0u);
}

TEST_F(SlowSubscriberTest, IsNotWaitedForWhenItStandsStillAndGetsLaterWhatItMissed) {
  RunningServer server(WithPatience(absl::Milliseconds(50)));
  Recorder log;
  Recorder slow_log;
  const auto publisher = Connect(server, &log);
  publisher->Subscribe("g");
  ASSERT_TRUE(RunUntil([&] { return publisher->connected() && log.heads["g"].size() == 1; }));
  const auto slow = ConnectSlow(server, &slow_log);
  Publish(publisher.get(), [this] { loop_->RunOnce(absl::Milliseconds(1)); });
  ASSERT_TRUE(
      RunUntil([&] { return acknowledged_ == kMessages && log.messages.size() == kMessages; }));
  ASSERT_TRUE(RunSlowUntil([&] { return slow_log.messages.size() == kMessages; }));
  EXPECT_GT(slow->counters().repairs, 0u);
  EXPECT_TRUE(slow_log.gaps.empty());
  EXPECT_EQ(slow_log.messages, log.messages);
  EXPECT_GE(server.numbers().subscriber_waits, 1u);
  EXPECT_GE(server.numbers().subscriber_timeouts, 1u);
  EXPECT_GT(server.numbers().droppable_frames, 0u);
}

class UnixSocketsTest : public ServerTest {
 protected:
  UnixSocketsTest() {
    // Not the test's own directory: a path of a Unix socket must be short.
    std::string name = "/tmp/groupcast_server_test.XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    parent_ = name;
  }
  ~UnixSocketsTest() override { std::filesystem::remove_all(parent_); }

  ServerOptions WithSockets() const {
    ServerOptions options = Options();
    options.address.socket_dir = parent_ + "/sockets";
    return options;
  }

  std::string parent_;
};

TEST_F(UnixSocketsTest, WorkersOfBothKindsMeet) {
  RunningServer server(WithSockets());
  Recorder local_log;
  Recorder remote_log;
  const auto local = Connect(server, &local_log);
  ZmqChannelOptions through_ports{.server = server.address()};
  through_ports.server.socket_dir.clear();
  const auto remote = *ZmqChannel::Create(through_ports, loop_.get(), &remote_log);
  local->Subscribe("g");
  remote->Subscribe("g");
  ASSERT_TRUE(RunUntil([&] {
    return local->connected() && remote->connected() && !local_log.heads["g"].empty() &&
           !remote_log.heads["g"].empty();
  }));
  const auto ignore = [](absl::StatusOr<Position>) {};
  local->Publish({.group_id = "g", .content = {.data = "from here"}}, ignore);
  ASSERT_TRUE(RunUntil([&] { return remote_log.messages.size() == 1; }));
  remote->Publish({.group_id = "g", .content = {.data = "from there"}}, ignore);
  ASSERT_TRUE(
      RunUntil([&] { return local_log.messages.size() == 2 && remote_log.messages.size() == 2; }));
  EXPECT_EQ(local_log.messages, remote_log.messages);
}

// What a server leaves behind that was killed does not keep the next one from starting.
TEST_F(UnixSocketsTest, WorkersComeBackToTheNextServer) {
  const ServerOptions options = WithSockets();
  Recorder log;
  auto server = std::make_unique<RunningServer>(options);
  const auto worker = Connect(*server, &log);
  ASSERT_TRUE(RunUntil([&] { return worker->connected(); }));
  server = nullptr;
  ASSERT_TRUE(RunUntil([&] { return !worker->connected(); }));
  std::ofstream(options.address.socket_dir + "/publish");
  server = std::make_unique<RunningServer>(options);
  EXPECT_TRUE(RunUntil([&] { return worker->connected(); }));
}

TEST_F(UnixSocketsTest, TheDirectoryBelongsToOneServerAndIsForItsUserAlone) {
  RunningServer server(WithSockets());
  const absl::Status second = Server::Create(WithSockets()).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(absl::StrContains(second.message(), "/sockets is in use by another channel server"))
      << second;
  EXPECT_EQ(std::filesystem::status(parent_ + "/sockets").permissions(),
            std::filesystem::perms::owner_all);
}

TEST_F(UnixSocketsTest, ADirectoryThatCannotBeUsedIsNamed) {
  ServerOptions options = Options();
  options.address.socket_dir = parent_ + "/none/sockets";
  EXPECT_TRUE(absl::StrContains(Server::Create(options).status().message(), "/none/sockets"));
  options.address.socket_dir = parent_ + "/" + std::string(120, 'x');  // no path for a socket
  const absl::Status too_long = Server::Create(options).status();
  EXPECT_TRUE(absl::StrContains(too_long.message(), "too long")) << too_long;
}

TEST_F(ServerTest, TakesThreeConsecutiveFreePorts) {
  RunningServer server(Options());
  const ChannelAddress address = server.address();
  EXPECT_NE(address.publish_port, 0);
  EXPECT_EQ(address.subscribe_port, address.publish_port + 1);
  EXPECT_EQ(address.control_port, address.publish_port + 2);
}

}  // namespace
}  // namespace groupcast::service
