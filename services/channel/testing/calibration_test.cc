// What the simulated network loses, real sockets lose: each of its losses is shown here, and next
// to it the setting with which the channel's engine avoids it, where there is one.
//
// "The server" has the sockets of a channel server (XSUB, XPUB, ROUTER), "the worker" those of the
// engine (XPUB, SUB, DEALER).

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/channel/testing/relay.h"
#include "services/common/posix.h"
#include "zmq.hpp"

namespace groupcast::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr int kPatienceMs = 30'000;

// Of the systems' buffers, so that a connection that stands still is full soon.
constexpr int kSocketBufferBytes = 32 * 1024;

// More than all buffers of a connection hold.
constexpr int kFlood = 2'000;
constexpr size_t kFloodMessageBytes = 1'000;

constexpr char kRoutingId[] = "worker";

std::string Subscription(absl::string_view topic) { return absl::StrCat("\1", topic); }
std::string Unsubscription(absl::string_view topic) {
  return absl::StrCat(absl::string_view("\0", 1), topic);
}

// Texts that can be told apart, each as long as the flood has them.
std::string Numbered(absl::string_view topic, int number) {
  std::string text = absl::StrCat(topic, " ", number, " ");
  text.resize(kFloodMessageBytes, '.');
  return text;
}

std::vector<std::string> NumberedUpTo(absl::string_view topic, int end) {
  std::vector<std::string> texts;
  for (int i = 0; i < end; ++i) texts.push_back(Numbered(topic, i));
  return texts;
}

// In messages. 0: as many as one likes.
struct Marks {
  int send = 0;
  int receive = 0;
};

zmq::socket_t MakeSocket(zmq::context_t* context, zmq::socket_type type, Marks marks = {}) {
  zmq::socket_t socket(*context, type);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::sndtimeo, kPatienceMs);
  socket.set(zmq::sockopt::rcvtimeo, kPatienceMs);
  socket.set(zmq::sockopt::sndhwm, marks.send);
  socket.set(zmq::sockopt::rcvhwm, marks.receive);
  socket.set(zmq::sockopt::sndbuf, kSocketBufferBytes);
  socket.set(zmq::sockopt::rcvbuf, kSocketBufferBytes);
  socket.set(zmq::sockopt::reconnect_ivl, 10);
  return socket;
}

uint16_t Bind(zmq::socket_t& socket) {
  socket.bind("tcp://127.0.0.1:*");
  const std::string endpoint = socket.get(zmq::sockopt::last_endpoint);
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(endpoint.substr(endpoint.rfind(':') + 1), &port)) << endpoint;
  return static_cast<uint16_t>(port);
}

void Connect(zmq::socket_t& socket, uint16_t port) {
  socket.connect(absl::StrCat("tcp://127.0.0.1:", port));
}

void Send(zmq::socket_t& socket, const std::string& text) {
  EXPECT_TRUE(socket.send(zmq::buffer(text), zmq::send_flags::none).has_value()) << text;
}

// False: refused.
bool TrySend(zmq::socket_t& socket, const std::string& text) {
  return socket.send(zmq::buffer(text), zmq::send_flags::dontwait).has_value();
}

enum class Routed { kSent, kFull, kGone };

Routed SendTo(zmq::socket_t& router, const std::string& to, const std::string& text) {
  try {
    if (!router.send(zmq::buffer(to), zmq::send_flags::dontwait | zmq::send_flags::sndmore)) {
      return Routed::kFull;
    }
  } catch (const zmq::error_t& error) {
    EXPECT_EQ(error.num(), EHOSTUNREACH) << error.what();
    return Routed::kGone;
  }
  EXPECT_TRUE(TrySend(router, text));
  return Routed::kSent;
}

// A socket learns what became of its connections when it is used.
void Use(zmq::socket_t& socket) { std::ignore = socket.get(zmq::sockopt::events); }

// Null: there is nothing now.
std::optional<std::string> TryReceive(zmq::socket_t& socket) {
  zmq::message_t message;
  if (!socket.recv(message, zmq::recv_flags::dontwait)) return std::nullopt;
  return message.to_string();
}

std::string Receive(zmq::socket_t& socket) {
  zmq::message_t message;
  if (!socket.recv(message)) {
    ADD_FAILURE() << "nothing comes";
    return "nothing";
  }
  return message.to_string();
}

// From a router: what the worker has sent.
std::string ReceiveRouted(zmq::socket_t& router) {
  EXPECT_EQ(Receive(router), kRoutingId);
  return Receive(router);
}

// False: there is nothing to be read even after a moment.
bool IsReadableSoon(zmq::socket_t& socket) {
  zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
  return zmq::poll(&item, 1, std::chrono::milliseconds(10)) > 0;
}

// What comes before the first `last`, which `send_last` sends and which may be lost too.
std::vector<std::string> ReceiveUntil(zmq::socket_t& socket, const std::string& last,
                                      const std::function<void()>& send_last) {
  const absl::Time give_up = absl::Now() + absl::Milliseconds(kPatienceMs);
  std::vector<std::string> received;
  while (absl::Now() < give_up) {
    send_last();
    if (!IsReadableSoon(socket)) continue;
    while (std::optional<std::string> text = TryReceive(socket)) {
      if (*text == last) return received;
      received.push_back(*std::move(text));
    }
  }
  ADD_FAILURE() << last << " does not come";
  return received;
}

std::vector<std::string> ReceiveUntil(zmq::socket_t& socket, const std::string& last) {
  std::vector<std::string> received;
  for (std::string text = Receive(socket); text != last && !::testing::Test::HasFailure();
       text = Receive(socket)) {
    received.push_back(std::move(text));
  }
  return received;
}

// Hears when a socket's connection comes and goes.
class Monitor {
 public:
  Monitor(zmq::context_t* context, zmq::socket_t& socket)
      : events_(MakeSocket(context, zmq::socket_type::pair)) {
    // One of its own: the end of an earlier socket's takes a while.
    static int monitors = 0;
    const std::string endpoint = absl::StrCat("inproc://monitor", ++monitors);
    EXPECT_EQ(zmq_socket_monitor(socket.handle(), endpoint.c_str(),
                                 ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED),
              0);
    events_.connect(endpoint);
  }

  void WaitForConnection() { WaitFor(ZMQ_EVENT_HANDSHAKE_SUCCEEDED); }
  void WaitForDisconnection() { WaitFor(ZMQ_EVENT_DISCONNECTED); }

 private:
  void WaitFor(uint16_t wanted) {
    uint16_t event = 0;
    while (event != wanted && !::testing::Test::HasFailure()) {
      const std::string frame = Receive(events_);
      Receive(events_);  // the address
      if (frame.size() >= sizeof(event)) std::memcpy(&event, frame.data(), sizeof(event));
    }
  }

  zmq::socket_t events_;
};

class CalibrationTest : public ::testing::Test {
 protected:
  zmq::socket_t Socket(zmq::socket_type type, Marks marks = {}) {
    return MakeSocket(&context_, type, marks);
  }

  zmq::context_t context_;
};

// ---- The publish link.

class PublishLinkTest : public CalibrationTest {
 protected:
  PublishLinkTest() : relay_(Bind(server_)) {}

  zmq::socket_t Worker(bool immediate, int send_mark = 0) {
    zmq::socket_t worker = Socket(zmq::socket_type::xpub, {.send = send_mark});
    worker.set(zmq::sockopt::xpub_verboser, true);
    worker.set(zmq::sockopt::immediate, immediate);
    return worker;
  }
  void SubscribeToEverything() { Send(server_, Subscription("")); }
  // What the worker reads before the server's subscription.
  std::vector<std::string> ReadUntilSubscribed(zmq::socket_t& worker) {
    return ReceiveUntil(worker, Subscription(""), [this] { Use(server_); });
  }

  zmq::socket_t server_ = Socket(zmq::socket_type::xsub);
  Relay relay_;
};

// What proves that nothing is lost from now on is the subscription, which an XPUB can read.
TEST_F(PublishLinkTest, LosesWhatIsSentBeforeTheServersSubscription) {
  zmq::socket_t worker = Worker(true);
  Monitor monitor(&context_, worker);
  relay_.SetAccepting(false);
  Connect(worker, relay_.port());
  Send(worker, "before the connection");
  relay_.SetAccepting(true);
  monitor.WaitForConnection();
  Send(worker, "before the subscription");
  SubscribeToEverything();
  EXPECT_THAT(ReadUntilSubscribed(worker), IsEmpty());
  Send(worker, "after it");
  EXPECT_EQ(Receive(server_), "after it");
}

TEST_F(PublishLinkTest, LosesWhatIsUnderWayWhenTheConnectionBreaks) {
  SubscribeToEverything();
  zmq::socket_t worker = Worker(true);
  Connect(worker, relay_.port());
  EXPECT_THAT(ReadUntilSubscribed(worker), IsEmpty());
  relay_.SetPassing(false, true);
  for (int i = 0; i < 100; ++i) Send(worker, "under way");
  relay_.Reset();
  relay_.SetPassing(true, true);
  // The worker reads the end of the one connection and the beginning of the other, as they come.
  std::vector<std::string> read = ReadUntilSubscribed(worker);
  if (read.empty()) read.push_back(Receive(worker));
  EXPECT_THAT(read, ElementsAre(Unsubscription("")));
  Send(worker, "on the next");
  EXPECT_EQ(Receive(server_), "on the next");
}

// Which would be late, and out of turn.
TEST_F(PublishLinkTest, SendsWhatWasMeantForADeadConnectionOnTheNextUnlessImmediate) {
  SubscribeToEverything();
  for (const bool immediate : {false, true}) {
    zmq::socket_t worker = Worker(immediate);
    Monitor monitor(&context_, worker);
    relay_.SetAccepting(true);
    Connect(worker, relay_.port());
    EXPECT_THAT(ReadUntilSubscribed(worker), IsEmpty());
    relay_.SetAccepting(false);
    relay_.Reset();
    monitor.WaitForDisconnection();
    if (immediate) {
      ASSERT_EQ(Receive(worker), Unsubscription(""));
    }
    Send(worker, "late");
    relay_.SetAccepting(true);
    EXPECT_THAT(ReadUntilSubscribed(worker), IsEmpty());
    Send(worker, "last");
    const std::vector<std::string> received = ReceiveUntil(server_, "last");
    if (immediate) {
      EXPECT_THAT(received, IsEmpty());
    } else {
      EXPECT_THAT(received, ElementsAre("late"));
    }
  }
}

TEST_F(PublishLinkTest, LosesWhatIsOverTheSendMarkIfThereIsOne) {
  SubscribeToEverything();
  for (const int mark : {10, 0}) {
    zmq::socket_t worker = Worker(true, mark);
    Connect(worker, relay_.port());
    EXPECT_THAT(ReadUntilSubscribed(worker), IsEmpty());
    relay_.SetPassing(false, true);
    for (const std::string& text : NumberedUpTo("p", kFlood)) Send(worker, text);
    relay_.SetPassing(true, true);
    const std::string last = absl::StrCat("last with mark ", mark);
    std::vector<std::string> received = ReceiveUntil(server_, last, [&] { Send(worker, last); });
    std::erase_if(received, [](const std::string& text) { return absl::StartsWith(text, "last"); });
    if (mark == 0) {
      EXPECT_EQ(received, NumberedUpTo("p", kFlood));
    } else {
      EXPECT_LT(received.size(), static_cast<size_t>(kFlood));
    }
  }
}

// ---- The subscribe link.

class SubscribeLinkTest : public CalibrationTest {
 protected:
  SubscribeLinkTest() : relay_(Bind(server_)) { server_.set(zmq::sockopt::xpub_verbose, true); }

  void ExpectSubscriptions(const std::vector<std::string>& topics) {
    for (const std::string& topic : topics) EXPECT_EQ(Receive(server_), Subscription(topic));
  }

  // What the server reads of a new connection up to the first subscription that begins with
  // `topic`. The worker has made all its subscriptions again by then.
  std::vector<std::string> ReadSubscribedAgain(zmq::socket_t& worker, const std::string& topic) {
    const absl::Time give_up = absl::Now() + absl::Milliseconds(kPatienceMs);
    std::vector<std::string> read;
    while (absl::Now() < give_up) {
      Use(worker);
      if (!IsReadableSoon(server_)) continue;
      while (std::optional<std::string> frame = TryReceive(server_)) {
        read.push_back(*std::move(frame));
        if (absl::StartsWith(read.back(), Subscription(topic))) return read;
      }
    }
    ADD_FAILURE() << topic << " is not subscribed again";
    return read;
  }

  zmq::socket_t server_ = Socket(zmq::socket_type::xpub);
  Relay relay_;
};

// In between, messages are lost.
TEST_F(SubscribeLinkTest, ASubscriptionTakesEffectLater) {
  zmq::socket_t worker = Socket(zmq::socket_type::sub);
  Connect(worker, relay_.port());
  worker.set(zmq::sockopt::subscribe, "g");
  ExpectSubscriptions({"g"});
  relay_.SetPassing(false, true);
  worker.set(zmq::sockopt::subscribe, "h");
  Send(server_, "h early");
  relay_.SetPassing(true, true);
  // What is sent after it was read arrives, without exception: so the server's announcement does.
  ExpectSubscriptions({"h"});
  Send(server_, "h announcement");
  EXPECT_EQ(Receive(worker), "h announcement");
}

TEST_F(SubscribeLinkTest, ASubscriptionTakesEffectBeforeTheServerReadsIt) {
  zmq::socket_t worker = Socket(zmq::socket_type::sub);
  Connect(worker, relay_.port());
  worker.set(zmq::sockopt::subscribe, "g");
  ReceiveUntil(worker, "g live", [&] { Send(server_, "g live"); });
  EXPECT_EQ(TryReceive(server_), Subscription("g"));
}

TEST_F(SubscribeLinkTest, TopicsMatchByPrefixUnlessTheyAreTerminated) {
  zmq::socket_t worker = Socket(zmq::socket_type::sub);
  Connect(worker, relay_.port());
  const std::string terminated("12\0", 3);
  const std::string of_another("123\0 message", 12);
  worker.set(zmq::sockopt::subscribe, terminated);
  worker.set(zmq::sockopt::subscribe, "last");
  ExpectSubscriptions({terminated, "last"});
  Send(server_, of_another);
  Send(server_, terminated);
  EXPECT_EQ(Receive(worker), terminated);

  worker.set(zmq::sockopt::subscribe, "12");
  ExpectSubscriptions({"12"});
  Send(server_, of_another);
  EXPECT_EQ(Receive(worker), of_another);
}

TEST_F(SubscribeLinkTest, LosesSubscriptionsOverTheSendMarkIfThereIsOne) {
  constexpr int kGroups = 10'000;
  for (const int mark : {1'000, 0}) {  // the first is libzmq's default
    const std::string groups = absl::StrCat("mark ", mark, " group ");
    relay_.SetAccepting(false);
    zmq::socket_t worker = Socket(zmq::socket_type::sub, {.send = mark});
    Connect(worker, relay_.port());
    for (int i = 0; i < kGroups; ++i) {
      worker.set(zmq::sockopt::subscribe, absl::StrCat(groups, i));
    }
    relay_.SetAccepting(true);
    std::vector<std::string> read;
    const auto expect_loss_if_marked = [&](const std::string& last) {
      for (std::string& frame : ReceiveUntil(server_, Subscription(last), [&] {
             Use(worker);
             worker.set(zmq::sockopt::subscribe, last);
           })) {
        read.push_back(std::move(frame));
      }
      const auto subscribed = std::count_if(read.begin(), read.end(), [&](const auto& frame) {
        return absl::StartsWith(frame, Subscription(groups));
      });
      if (mark == 0) {
        EXPECT_EQ(subscribed, kGroups) << last;
      } else {
        EXPECT_LT(subscribed, kGroups) << last;
      }
    };
    expect_loss_if_marked(absl::StrCat("mark ", mark, " last"));
    // No less on the next connection.
    relay_.Reset();
    read = ReadSubscribedAgain(worker, groups);
    expect_loss_if_marked(absl::StrCat("mark ", mark, " very last"));
  }
}

TEST_F(SubscribeLinkTest, SubscriptionsCountAndAreMadeAgainOnTheNextConnection) {
  zmq::socket_t worker = Socket(zmq::socket_type::sub);
  Connect(worker, relay_.port());
  for (const char* topic : {"a", "b", "b"}) worker.set(zmq::sockopt::subscribe, topic);
  ExpectSubscriptions({"a", "b", "b"});

  // Each once, however often it was made.
  relay_.Reset();
  std::vector<std::string> again = ReadSubscribedAgain(worker, "");
  worker.set(zmq::sockopt::subscribe, "last");
  for (std::string& frame : ReceiveUntil(server_, Subscription("last"))) {
    again.push_back(std::move(frame));
  }
  std::erase_if(again, [](const std::string& frame) { return frame[0] == 0; });  // the ends
  EXPECT_THAT(again, UnorderedElementsAre(Subscription("a"), Subscription("b")));

  // Its end is told when it has been ended as often as it was made.
  worker.set(zmq::sockopt::unsubscribe, "b");
  worker.set(zmq::sockopt::subscribe, "c");
  ExpectSubscriptions({"c"});
  Send(server_, "b message");
  EXPECT_EQ(Receive(worker), "b message");
  worker.set(zmq::sockopt::unsubscribe, "b");
  EXPECT_EQ(Receive(server_), Unsubscription("b"));
}

TEST_F(SubscribeLinkTest, TheEndOfASubscriptionIsToldWhenItIsTheLastOfItsTopic) {
  std::array<zmq::socket_t, 2> workers;
  for (zmq::socket_t& worker : workers) {
    worker = Socket(zmq::socket_type::sub);
    Connect(worker, relay_.port());
    worker.set(zmq::sockopt::subscribe, "g");
    ExpectSubscriptions({"g"});
  }
  workers[0].set(zmq::sockopt::unsubscribe, "g");
  workers[0].set(zmq::sockopt::subscribe, "h");
  ExpectSubscriptions({"h"});
  workers[1].set(zmq::sockopt::unsubscribe, "g");
  EXPECT_EQ(Receive(server_), Unsubscription("g"));
}

TEST_F(SubscribeLinkTest, LosesWhatIsUnderWayWhenTheConnectionBreaks) {
  zmq::socket_t worker = Socket(zmq::socket_type::sub);
  Connect(worker, relay_.port());
  worker.set(zmq::sockopt::subscribe, "g");
  ExpectSubscriptions({"g"});
  relay_.SetPassing(true, false);
  for (int i = 0; i < 100; ++i) Send(server_, "g under way");
  relay_.Reset();
  relay_.SetPassing(true, true);
  ReadSubscribedAgain(worker, "g");
  Send(server_, "g on the next");
  EXPECT_EQ(Receive(worker), "g on the next");
}

// A worker's subscribe link in a process of its own, which can be stopped. It takes what there is
// until the first message that ends with "last".
class SubscriberProcess {
 public:
  // Before this process has any threads.
  explicit SubscriberProcess(const std::vector<std::string>& topics) {
    int ports[2];
    int reports[2];
    EXPECT_EQ(pipe(ports), 0);
    EXPECT_EQ(pipe(reports), 0);
    port_ = Fd(ports[1]);
    report_ = Fd(reports[0]);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      Run(topics, ports[0], reports[1]);
      _exit(0);
    }
    close(ports[0]);
    close(reports[1]);
    EXPECT_GT(pid_, 0);
  }
  ~SubscriberProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  void Connect(uint16_t port) {
    EXPECT_EQ(write(port_.get(), &port, sizeof(port)), ssize_t{sizeof(port)});
  }
  // Returns when it stands still.
  void Stop() {
    kill(pid_, SIGSTOP);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, WUNTRACED), pid_);
    EXPECT_TRUE(WIFSTOPPED(status));
  }
  void Continue() { kill(pid_, SIGCONT); }

  // What it has got, or null if it has not got "last" for a moment.
  std::optional<std::vector<int>> Numbers() {
    pollfd readable{.fd = report_.get(), .events = POLLIN};
    if (poll(&readable, 1, 10) <= 0) return std::nullopt;
    std::vector<int> numbers;
    int number = 0;
    while (read(report_.get(), &number, sizeof(number)) == ssize_t{sizeof(number)}) {
      numbers.push_back(number);
    }
    return numbers;
  }

 private:
  static void Run(const std::vector<std::string>& topics, int ports, int reports) {
    uint16_t port = 0;
    if (read(ports, &port, sizeof(port)) != ssize_t{sizeof(port)}) return;
    zmq::context_t context;
    zmq::socket_t worker = MakeSocket(&context, zmq::socket_type::sub, {.receive = 100});
    for (const std::string& topic : topics) worker.set(zmq::sockopt::subscribe, topic);
    testing::Connect(worker, port);
    std::vector<int> numbers;
    for (;;) {
      const std::string text = Receive(worker);
      int number = 0;
      if (std::sscanf(text.c_str(), "%*s %d ", &number) != 1) break;
      numbers.push_back(number);
    }
    const ssize_t bytes = static_cast<ssize_t>(numbers.size() * sizeof(int));
    if (write(reports, numbers.data(), static_cast<size_t>(bytes)) != bytes) _exit(1);
  }

  Fd port_;
  Fd report_;
  pid_t pid_ = -1;
};

// Whatever topic it is on: what tells of a subscription's effect is lost like any message. There is
// no setting against it; the numbers show the hole.
TEST(SubscriberQueueTest, LosesWhatFindsItFullWhileTheWorkerIsStopped) {
  SubscriberProcess worker({"g", "h"});
  zmq::context_t context;
  zmq::socket_t server = MakeSocket(&context, zmq::socket_type::xpub, {.send = 100});
  worker.Connect(Bind(server));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Receive(server)[0], 1);
  worker.Stop();
  for (int i = 0; i < 2 * kFlood; ++i) Send(server, Numbered(i % 2 == 0 ? "g" : "h", i));
  worker.Continue();
  const absl::Time give_up = absl::Now() + absl::Milliseconds(kPatienceMs);
  std::optional<std::vector<int>> numbers;
  while (!numbers.has_value() && absl::Now() < give_up) {
    Send(server, "g last");
    numbers = worker.Numbers();
  }
  ASSERT_TRUE(numbers.has_value()) << "it does not go on";
  EXPECT_TRUE(std::is_sorted(numbers->begin(), numbers->end()));
  for (const int topic : {0, 1}) {
    const auto arrived = std::count_if(numbers->begin(), numbers->end(),
                                       [topic](int number) { return number % 2 == topic; });
    EXPECT_GT(arrived, 0);
    EXPECT_LT(arrived, kFlood);
  }
}

// ---- The control link.

class ControlLinkTest : public CalibrationTest {
 protected:
  ControlLinkTest() : relay_(Bind(server_)) {}

  zmq::socket_t Worker(bool immediate = true) {
    zmq::socket_t worker = Socket(zmq::socket_type::dealer, kMarks);
    worker.set(zmq::sockopt::routing_id, kRoutingId);
    worker.set(zmq::sockopt::immediate, immediate);
    return worker;
  }
  // So that each knows the other.
  void Greet(zmq::socket_t& worker) {
    Connect(worker, relay_.port());
    Send(worker, "hello");
    EXPECT_EQ(ReceiveRouted(server_), "hello");
  }
  zmq::socket_t Server() {
    zmq::socket_t server = Socket(zmq::socket_type::router, kMarks);
    server.set(zmq::sockopt::router_mandatory, true);
    server.set(zmq::sockopt::router_handover, true);
    return server;
  }

  static constexpr Marks kMarks = {.send = 10, .receive = 10};
  zmq::socket_t server_ = Server();
  Relay relay_;
};

TEST_F(ControlLinkTest, RefusesTheWorkerWhatItHasNoRoomForAndLosesNothing) {
  zmq::socket_t worker = Worker();
  Greet(worker);
  relay_.SetPassing(false, true);
  int sent = 0;
  while (sent < kFlood && TrySend(worker, Numbered("c", sent))) ++sent;
  ASSERT_LT(sent, kFlood);
  relay_.SetPassing(true, true);
  for (int i = 0; i < sent; ++i) ASSERT_EQ(ReceiveRouted(server_), Numbered("c", i));
  Send(worker, "after it");
  EXPECT_EQ(ReceiveRouted(server_), "after it");
}

TEST_F(ControlLinkTest, RefusesTheServerWhatAWorkerHasNoRoomForOnlyIfMandatory) {
  zmq::socket_t worker = Worker();
  Greet(worker);
  relay_.SetPassing(true, false);
  int sent = 0;
  Routed last = Routed::kSent;
  while (sent < kFlood &&
         (last = SendTo(server_, kRoutingId, Numbered("c", sent))) == Routed::kSent)
    ++sent;
  ASSERT_LT(sent, kFlood);
  EXPECT_EQ(last, Routed::kFull);
  EXPECT_EQ(SendTo(server_, "nobody", "c"), Routed::kGone);
  relay_.SetPassing(true, true);
  for (int i = 0; i < sent; ++i) ASSERT_EQ(Receive(worker), Numbered("c", i));
  // It can be reached again.
  EXPECT_THAT(ReceiveUntil(worker, "after it", [&] { SendTo(server_, kRoutingId, "after it"); }),
              IsEmpty());

  server_.set(zmq::sockopt::router_mandatory, false);
  relay_.SetPassing(true, false);
  for (int i = 0; i < kFlood; ++i) {
    ASSERT_EQ(SendTo(server_, kRoutingId, Numbered("d", i)), Routed::kSent);
  }
  relay_.SetPassing(true, true);
  EXPECT_LT(ReceiveUntil(worker, "last", [&] { SendTo(server_, kRoutingId, "last"); }).size(),
            static_cast<size_t>(kFlood));
}

TEST_F(ControlLinkTest, LosesWhatIsUnderWayWhenTheConnectionBreaks) {
  zmq::socket_t worker = Worker();
  Monitor monitor(&context_, worker);
  Greet(worker);
  relay_.SetPassing(false, false);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(TrySend(worker, "under way"));
    ASSERT_EQ(SendTo(server_, kRoutingId, "under way"), Routed::kSent);
  }
  relay_.Reset();
  relay_.SetPassing(true, true);
  monitor.WaitForDisconnection();
  monitor.WaitForConnection();
  Use(worker);
  Send(worker, "on the next");
  EXPECT_EQ(ReceiveRouted(server_), "on the next");
  EXPECT_EQ(SendTo(server_, kRoutingId, "answer"), Routed::kSent);
  EXPECT_EQ(Receive(worker), "answer");
}

// What would come there is of before the hello, and would be taken for something after it.
TEST_F(ControlLinkTest, SendsWhatWasMeantForADeadConnectionOnTheNextUnlessImmediate) {
  for (const bool immediate : {false, true}) {
    zmq::socket_t worker = Worker(immediate);
    Monitor monitor(&context_, worker);
    relay_.SetAccepting(true);
    Greet(worker);
    relay_.SetAccepting(false);
    relay_.Reset();
    monitor.WaitForDisconnection();
    if (immediate) {
      // Refused, as soon as the socket has heard of it.
      const absl::Time give_up = absl::Now() + absl::Milliseconds(kPatienceMs);
      while (TrySend(worker, "late")) ASSERT_LT(absl::Now(), give_up);
    } else {
      EXPECT_TRUE(TrySend(worker, "late"));
    }
    relay_.SetAccepting(true);
    Send(worker, "last");
    if (!immediate) {
      EXPECT_EQ(ReceiveRouted(server_), "late");
    }
    EXPECT_EQ(ReceiveRouted(server_), "last");
  }
}

// Nobody tells of it; heartbeats find out, and then it is a connection that broke.
TEST_F(ControlLinkTest, AConnectionInWhichNothingPassesEndsByHeartbeats) {
  zmq::socket_t worker = Worker();
  worker.set(zmq::sockopt::heartbeat_ivl, 100);
  worker.set(zmq::sockopt::heartbeat_timeout, 1'000);
  Monitor monitor(&context_, worker);
  Greet(worker);
  relay_.SetPassing(false, false);
  EXPECT_TRUE(TrySend(worker, "under way"));
  monitor.WaitForDisconnection();
}

}  // namespace
}  // namespace groupcast::service::testing
