#include "services/channel/nats/nats_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Text(const NatsReader& reader, NatsReader::Event event) {
  const NatsMessage& message = reader.message();
  switch (event) {
    case NatsReader::Event::kInfo:
      return absl::StrCat("info ", reader.text());
    case NatsReader::Event::kPing:
      return "ping";
    case NatsReader::Event::kPong:
      return "pong";
    case NatsReader::Event::kError:
      return absl::StrCat("error ", reader.text());
    case NatsReader::Event::kDefect:
      return absl::StrCat("defect: ", reader.text());
    default:
      return absl::StrCat(message.subject, "|", message.subscription, "|", message.reply, "|",
                          message.headers, "|", message.data);
  }
}

// The events of `input`, which comes in parts of `part` bytes.
std::vector<std::string> Read(absl::string_view input, size_t part = 1'000'000,
                              size_t message_bytes_max = 1'000) {
  NatsReader reader(message_bytes_max);
  std::vector<std::string> events;
  while (!input.empty()) {
    const absl::Span<char> room = reader.Room();
    const size_t bytes = std::min({input.size(), part, room.size()});
    std::memcpy(room.data(), input.data(), bytes);
    input.remove_prefix(bytes);
    reader.Took(bytes);
    for (auto event = reader.Next(); event != NatsReader::Event::kNeedMore; event = reader.Next()) {
      events.push_back(Text(reader, event));
    }
  }
  return events;
}

TEST(NatsReaderTest, ReadsWhatAServerSays) {
  EXPECT_THAT(
      Read("INFO {\"version\":\"2.9.10\"} \r\nPING\r\nPONG\r\n+OK\r\n"
           "MSG a.b 7 5\r\nhello\r\nMSG a 8 in.1 0\r\n\r\n"
           "HMSG a 7 14 16\r\nNATS/1.0\r\n\r\nab..\r\n"
           "-ERR 'Authorization Violation'\r\n"),
      ElementsAre("info {\"version\":\"2.9.10\"}", "ping", "pong", "a.b|7|||hello", "a|8|in.1||",
                  "a|7||NATS/1.0\r\n\r\nab|..", "error Authorization Violation"));
}

TEST(NatsReaderTest, DataMayLookLikeLines) {
  EXPECT_THAT(Read("MSG a 1 8\r\n\r\nPING\r\n\r\nPONG\r\n"),
              ElementsAre("a|1|||\r\nPING\r\n", "pong"));
}

TEST(NatsReaderTest, PartsMakeNoDifference) {
  const std::string input =
      "INFO {}\r\nMSG a.b 7 5\r\nhello\r\nHMSG s 9 r 12 14\r\nNATS/1.0\r\n\r\nxy\r\nPING\r\n";
  const std::vector<std::string> whole = Read(input);
  ASSERT_EQ(whole.size(), 4u);
  for (size_t part = 1; part < input.size(); ++part) EXPECT_EQ(Read(input, part), whole) << part;
}

TEST(NatsReaderTest, AMessageMayBeAsLargeAsTheBound) {
  const std::string data(1'000, 'x');
  EXPECT_THAT(Read(absl::StrCat("MSG a 1 1000\r\n", data, "\r\n"), 100),
              ElementsAre(absl::StrCat("a|1|||", data)));
  EXPECT_THAT(Read("MSG a 1 1001\r\n"), ElementsAre("defect: a message is over the bound"));
}

TEST(NatsReaderTest, WhatIsNoServerOfNatsIsTold) {
  EXPECT_THAT(Read("HTTP/1.1 400 Bad Request\r\n\r\n"),
              ElementsAre("defect: an operation has no name that NATS knows"));
  EXPECT_THAT(Read(std::string(70'000, 'x')), ElementsAre("defect: a line does not end"));
  EXPECT_THAT(Read(absl::StrCat("INFO ", std::string(70'000, 'x'), "\r\n")),
              ElementsAre("defect: a line does not end"));
  EXPECT_THAT(Read("MSG a 1 1\r\nxyz"),
              ElementsAre("defect: a message does not end where its length says"));
  for (const char* const line : {"MSG", "MSG a", "MSG a 1", "MSG a x 1", "MSG a 1 -1",
                                 "MSG a 1 r 2 3", "HMSG a 1 2", "HMSG a 1 r 3 2", "HMSG a 1 x 2"}) {
    EXPECT_THAT(Read(absl::StrCat(line, "\r\n")),
                ElementsAre("defect: a message has arguments that do not fit"))
        << line;
  }
  EXPECT_THAT(Read("MSG 1 2 3 4 5 6 7\r\n"),
              ElementsAre("defect: a message has too many arguments"));
}

TEST(NatsReaderTest, NothingFollowsADefect) {
  EXPECT_THAT(Read("?\r\nPING\r\nPING\r\n", 3), ElementsAre(::testing::StartsWith("defect")));
}

TEST(NatsReaderTest, ManyLinesWithoutAnEventTakeNoStack) {
  std::string input;
  for (int i = 0; i < 300'000; ++i) input += "+OK\r\n";
  EXPECT_THAT(Read(input), IsEmpty());
}

TEST(NatsHeaderTest, FindsAHeaderByItsName) {
  const absl::string_view headers =
      "NATS/1.0\r\nNats-Sequence: 42\r\nNats-Last-Sequence:41 \r\nEmpty:\r\n\r\n";
  EXPECT_EQ(NatsHeader(headers, "Nats-Sequence"), "42");
  EXPECT_EQ(NatsHeader(headers, "Nats-Last-Sequence"), "41");
  EXPECT_EQ(NatsHeader(headers, "Empty"), "");
  EXPECT_EQ(NatsHeader(headers, "Nats"), std::nullopt);
  EXPECT_EQ(NatsHeader(headers, "Sequence"), std::nullopt);
  EXPECT_EQ(NatsHeader("", "Nats-Sequence"), std::nullopt);
}

TEST(NatsHeaderTest, ReadsAStatus) {
  EXPECT_EQ(NatsStatus("NATS/1.0 503\r\n\r\n"), 503);
  EXPECT_EQ(NatsStatus("NATS/1.0 404 Message Not Found\r\n\r\n"), 404);
  EXPECT_EQ(NatsStatus("NATS/1.0\r\n\r\n"), 0);
  EXPECT_EQ(NatsStatus(""), 0);
}

}  // namespace
}  // namespace groupcast::service
