// Whoever reaches the channel server's ports may send it anything: it must go on serving its
// workers.

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "zmq.hpp"

namespace groupcast::tests {
namespace {

// The frames of docs/channel_wire.md, made here byte by byte.
constexpr char kVersion = 1;
constexpr char kPublication = 1;
constexpr char kHello = 1;
constexpr char kFetchHistory = 4;

std::string LittleEndian(uint64_t value) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string LiveFrame(absl::string_view group, char version, char kind, uint64_t publisher,
                      uint64_t number, absl::string_view body) {
  return absl::StrCat(group, absl::string_view("\0", 1), std::string{version, kind, 0, 0},
                      LittleEndian(publisher), LittleEndian(number), LittleEndian(0),
                      LittleEndian(0), LittleEndian(0), body);
}

std::string ControlFrame(char version, char kind, absl::string_view body) {
  return absl::StrCat(std::string{version, kind, 0, 0}, body);
}

std::string RandomBytes(std::mt19937* random, size_t bytes) {
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>((*random)());
  return text;
}

class ChannelPortsTest : public ::testing::Test {
 protected:
  ChannelPortsTest() { member_.Join("fence"); }

  // Messages still flow over all three links, through the same processes, and nothing was lost.
  void ExpectServing() {
    const std::string text = absl::StrCat("message ", ++messages_);
    member_.Send(SendToGroup("\"room\"", Quoted(text), "1"));
    bool acknowledged = false;
    bool delivered = false;
    while (!acknowledged || !delivered) {
      const Event event = member_.NextEvent();
      ASSERT_TRUE(event.name() == "reply" || event.name() == "message") << event.text();
      acknowledged = acknowledged || event.name() == "reply";
      delivered = delivered || (event.name() == "message" && event.Text("message") == text);
    }
    member_.Join(absl::StrCat("new group ", messages_));
    EXPECT_EQ(groupcast_.channel.process().Poll(), std::nullopt) << "the channel server has ended";
    EXPECT_EQ(groupcast_.service.WorkerPids(), workers_);
    EXPECT_EQ(member_.Join("room").Text("epoch"), epoch_);
  }

  zmq::socket_t Connect(zmq::socket_type type, int link, const std::string& routing_id = "") {
    zmq::socket_t socket(context_, type);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, static_cast<int>(absl::ToInt64Milliseconds(kPatience)));
    socket.set(zmq::sockopt::sndtimeo, static_cast<int>(absl::ToInt64Milliseconds(kPatience)));
    socket.set(zmq::sockopt::sndhwm, 0);  // a publisher would drop above it
    // A socket of a connection that was cut must show it.
    socket.set(zmq::sockopt::immediate, true);
    if (!routing_id.empty()) socket.set(zmq::sockopt::routing_id, routing_id);
    socket.connect(absl::StrCat("tcp://127.0.0.1:", port(link)));
    return socket;
  }

  // A publisher's socket, after the server has subscribed to all that it publishes.
  zmq::socket_t ConnectPublisher() {
    zmq::socket_t socket = Connect(zmq::socket_type::xpub, 0);
    zmq::message_t subscription;
    if (!socket.recv(subscription)) throw Failure("the server does not subscribe");
    return socket;
  }

  // Makes `publisher` known. It waits for the answer, so the server has read what came before.
  zmq::socket_t SayHello(uint64_t publisher) {
    zmq::socket_t socket = Connect(zmq::socket_type::dealer, 2, "w" + LittleEndian(publisher));
    socket.send(zmq::buffer(ControlFrame(kVersion, kHello, "\x08\x01")));
    zmq::message_t reply;
    if (!socket.recv(reply)) throw Failure("hello is not answered");
    return socket;
  }

  // Waits until the server has read all that was sent on `publisher`.
  void Fence(zmq::socket_t* publisher) {
    const uint64_t id = 1'000 + ++fences_;
    const zmq::socket_t hello = SayHello(id);
    const std::string content =
        absl::StrCat("\x12\x01", std::string(1, static_cast<char>('a' + fences_)));
    publisher->send(zmq::buffer(LiveFrame("fence", kVersion, kPublication, id, 1, content)));
    const Event event = member_.NextEvent();
    EXPECT_EQ(event.Text("group_id"), "fence");
    EXPECT_EQ(event.Text("message"), content.substr(2));
  }

  uint16_t port(int link) const { return static_cast<uint16_t>(groupcast_.channel.port() + link); }

  zmq::context_t context_;
  Groupcast groupcast_{/*workers=*/1};
  const std::vector<pid_t> workers_ = groupcast_.service.WorkerPids();
  TestClient member_{groupcast_.service.port(), Mode::kV1};
  const std::string epoch_ = member_.Join("room").Text("epoch");
  int messages_ = 0;
  int fences_ = 0;
};

TEST_F(ChannelPortsTest, RandomBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 60; ++i) {
    RawClient client(port(i % 3));
    client.Write(RandomBytes(&random, 1 + random() % 10'000));
    if (i % 2 == 0) client.CloseWriting();
    client.ReadAvailable();
  }
  ExpectServing();
}

TEST_F(ChannelPortsTest, OtherProtocols) {
  for (int link = 0; link < 3; ++link) {
    for (const std::string& bytes :
         {HandshakeRequest(), std::string("GET / HTTP/1.0\r\n\r\n"), std::string(100'000, '\0'),
          std::string("\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", 11)}) {
      RawClient client(port(link));
      client.Write(bytes);
      client.ReadAvailable();
    }
  }
  ExpectServing();
}

// ZMTP's greeting (RFC 23 of ZeroMQ), whole and then something else, or cut anywhere.
TEST_F(ChannelPortsTest, WrongZmtp) {
  std::string greeting("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16);
  greeting.resize(64, '\0');
  std::mt19937 random(2);
  for (int link = 0; link < 3; ++link) {
    for (const size_t size : {1u, 9u, 10u, 11u, 12u, 31u, 32u, 63u, 64u}) {
      RawClient client(port(link));
      client.Write(greeting.substr(0, size));
    }
    for (const std::string& after :
         {std::string("\x04\xff", 2), std::string("\x06\xff\xff\xff\xff\xff\xff\xff\xff", 9),
          std::string(1'000, '\xff'), std::string("\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x7f", 23),
          RandomBytes(&random, 5'000)}) {
      RawClient client(port(link));
      client.Write(greeting + after);
      client.ReadMore();
    }
    std::string other_mechanism = greeting;
    other_mechanism.replace(12, 4, "OPEN");
    RawClient client(port(link));
    client.Write(other_mechanism);
    client.ReadMore();
  }
  ExpectServing();
}

TEST_F(ChannelPortsTest, SocketsOfTheWrongType) {
  std::vector<zmq::socket_t> sockets;
  for (const zmq::socket_type type :
       {zmq::socket_type::req, zmq::socket_type::rep, zmq::socket_type::push,
        zmq::socket_type::pull, zmq::socket_type::pair, zmq::socket_type::sub,
        zmq::socket_type::pub, zmq::socket_type::router}) {
    for (int link = 0; link < 3; ++link) sockets.push_back(Connect(type, link));
  }
  for (zmq::socket_t& socket : sockets) {
    try {
      socket.send(zmq::str_buffer("anything"), zmq::send_flags::dontwait);
    } catch (const zmq::error_t&) {
      // Some cannot send at all.
    }
  }
  ExpectServing();
}

TEST_F(ChannelPortsTest, MalformedPublications) {
  const zmq::socket_t hello = SayHello(7);
  zmq::socket_t publisher = ConnectPublisher();
  const std::string good = LiveFrame("room", kVersion, kPublication, 7, 1, "");
  std::vector<std::string> frames = {
      "", std::string(1, '\0'), "room", std::string(1'000, 'x'), std::string(1'000, '\0'),
      LiveFrame("", kVersion, kPublication, 7, 1, ""),
      LiveFrame(std::string(129, 'g'), kVersion, kPublication, 7, 1, ""),
      LiveFrame("ro\nom", kVersion, kPublication, 7, 1, ""),
      LiveFrame("room", 2, kPublication, 7, 1, ""), LiveFrame("room", kVersion, 9, 7, 1, ""),
      LiveFrame("room", kVersion, 0, 7, 1, ""),
      // Of publishers that nobody knows.
      LiveFrame("room", kVersion, kPublication, 8, 1, ""),
      LiveFrame("room", kVersion, kPublication, 0, 1, ""),
      // What only the server may send.
      LiveFrame("elsewhere", kVersion, 2, 7, 1, ""), LiveFrame("elsewhere", kVersion, 3, 7, 2, "")};
  for (size_t i = 0; i < good.size(); ++i) frames.push_back(good.substr(0, i));
  std::mt19937 random(3);
  for (int i = 0; i < 1'000; ++i) frames.push_back(RandomBytes(&random, random() % 300));
  for (const std::string& frame : frames) publisher.send(zmq::buffer(frame));
  publisher.send(zmq::buffer(good), zmq::send_flags::sndmore);
  publisher.send(zmq::str_buffer("second part"));
  Fence(&publisher);
  // Larger than any publication may be: the connection is cut, which ends the server's
  // subscription, and made anew.
  publisher.send(zmq::buffer(std::string(1 << 20, 'x')));
  for (const char* change : {"\0", "\1"}) {
    zmq::message_t message;
    ASSERT_TRUE(publisher.recv(message));
    EXPECT_EQ(message.to_string(), std::string(change, 1));
  }
  ExpectServing();
}

// A publisher's numbers may have holes, but a hole must not cost memory for each number in it.
TEST_F(ChannelPortsTest, NumbersThatJump) {
  const zmq::socket_t hello = SayHello(7);
  zmq::socket_t publisher = ConnectPublisher();
  uint64_t number = 0;
  for (int i = 0; i < 200; ++i) {
    publisher.send(zmq::buffer(LiveFrame("elsewhere", kVersion, kPublication, 7, ++number, "")));
    number += i == 199 ? uint64_t{1} << 45 : 0;
  }
  publisher.send(zmq::buffer(LiveFrame("elsewhere", kVersion, kPublication, 7, number, "")));
  publisher.send(zmq::buffer(LiveFrame("elsewhere", kVersion, kPublication, 7, ~uint64_t{0}, "")));
  Fence(&publisher);
  ExpectServing();
}

// What a worker cannot read, it leaves out; its members are told, and stay.
TEST_F(ChannelPortsTest, PublicationsWhoseContentIsGarbage) {
  const zmq::socket_t hello = SayHello(7);
  zmq::socket_t publisher = ConnectPublisher();
  std::mt19937 random(4);
  for (uint64_t number = 1; number <= 100; ++number) {
    publisher.send(zmq::buffer(
        LiveFrame("elsewhere", kVersion, kPublication, 7, number, RandomBytes(&random, 100))));
  }
  Fence(&publisher);
  TestClient elsewhere(groupcast_.service.port(), Mode::kV1);
  elsewhere.Join("elsewhere");
  publisher.send(
      zmq::buffer(LiveFrame("elsewhere", kVersion, kPublication, 7, 101, "\xff\xff\xff")));
  Fence(&publisher);
  elsewhere.Send(SendToGroup("\"elsewhere\"", "\"readable\""));
  for (std::string text; text != "readable";) {
    const Event event = elsewhere.NextEvent();
    ASSERT_TRUE(event.name() == "gap" || event.name() == "message") << event.text();
    if (event.name() == "message") text = event.Text("message");
  }
  ExpectServing();
}

TEST_F(ChannelPortsTest, OddSubscriptions) {
  zmq::socket_t socket = Connect(zmq::socket_type::xsub, 1);
  std::mt19937 random(5);
  for (const std::string& topic :
       {std::string("\x01", 1), std::string("\x01room", 5), std::string("\x01ro\nom\0", 7),
        std::string("\x00never subscribed\0", 18), std::string("\x01\0", 2), std::string("neither"),
        std::string(), absl::StrCat("\x01", std::string(200, 'g'))}) {
    socket.send(zmq::buffer(topic));
  }
  for (int i = 0; i < 500; ++i) socket.send(zmq::buffer(RandomBytes(&random, random() % 200)));
  // After a group's topic a nonce may follow, of one length and form.
  for (int i = 0; i < 500; ++i) {
    socket.send(zmq::buffer(std::string("\x01room\0", 6) + RandomBytes(&random, random() % 30)));
  }
  // Announced when all before it has been read.
  const std::string last("last\0", 5);
  socket.send(zmq::buffer("\x01" + last));
  std::string announced;
  while (announced.compare(0, last.size(), last) != 0) {
    zmq::message_t message;
    ASSERT_TRUE(socket.recv(message)) << "the last subscription is not announced";
    announced = message.to_string();
  }
  // Longer than any topic may be: the connection is cut.
  socket.send(zmq::buffer(absl::StrCat("\x01", std::string(100'000, 'g'))));
  ExpectServing();
}

TEST_F(ChannelPortsTest, MalformedControlFrames) {
  std::mt19937 random(6);
  for (const std::string& routing_id :
       {std::string("stranger"), "w" + LittleEndian(9), std::string("w"), std::string(255, 'w')}) {
    zmq::socket_t socket = Connect(zmq::socket_type::dealer, 2, routing_id);
    for (const std::string& frame :
         {std::string(), std::string(1, kVersion), ControlFrame(2, kHello, ""),
          ControlFrame(kVersion, 0, ""), ControlFrame(kVersion, 99, ""),
          ControlFrame(kVersion, kHello, "\xff\xff"),
          ControlFrame(kVersion, kHello, absl::StrCat("\x08", std::string(9, '\xff'), "\x01")),
          ControlFrame(kVersion, 2, ""), ControlFrame(kVersion, 3, ""),
          ControlFrame(kVersion, 4, "\xff"), ControlFrame(kVersion, 4, ""),
          ControlFrame(kVersion, 4,
                       absl::StrCat("\x12", std::string(1, '\x7f'), std::string(127, 'g')))}) {
      socket.send(zmq::buffer(frame));
    }
    for (int i = 0; i < 300; ++i)
      socket.send(zmq::buffer(
          absl::StrCat(std::string(1, kVersion), RandomBytes(&random, random() % 100))));
    socket.send(zmq::str_buffer("one"), zmq::send_flags::sndmore);
    socket.send(zmq::str_buffer("two"));
    // From a worker's name, a request for history is answered when all before it has been read.
    if (routing_id == "w" + LittleEndian(9)) {
      const std::string request_12345 = "\x08\xb9\x60";
      socket.send(zmq::buffer(ControlFrame(kVersion, kFetchHistory,
                                           request_12345 + "\x12\x05"
                                                           "fence")));
      std::string answer;
      while (answer.find(request_12345) != 4) {
        zmq::message_t message;
        ASSERT_TRUE(socket.recv(message)) << "the last request is not answered";
        answer = message.to_string();
      }
    }
    socket.send(zmq::buffer(std::string(1 << 20, 'x')));
  }
  ExpectServing();
  SayHello(10);
}

}  // namespace
}  // namespace groupcast::tests
