#include "services/channel/nats/stream_api.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "boost/json.hpp"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using absl::StatusCode;

// The answers are those of nats-server 2.9.10, shortened.

std::string Failure(int code, const std::string& description) {
  return absl::StrCat(R"({"type":"io.nats.jetstream.api.v1.stream_create_response","error":)",
                      R"({"code":400,"err_code":)", code, R"(,"description":")", description,
                      R"("}})");
}

boost::json::object Parse(const std::string& text) { return boost::json::parse(text).as_object(); }

TEST(StreamApiTest, AStreamCapturesItsGroupsAndHandsOutLiveCopies) {
  const boost::json::object stream = Parse(StreamConfiguration({.name = "chat"}));
  EXPECT_EQ(stream.at("name"), "chat");
  EXPECT_EQ(stream.at("subjects"), boost::json::array({"chat.g.>"}));
  EXPECT_EQ(stream.at("republish").at("src"), "chat.g.>");
  EXPECT_EQ(stream.at("republish").at("dest"), "chat.live.>");
  EXPECT_EQ(stream.at("storage"), "file");
  EXPECT_EQ(stream.at("num_replicas"), 1);
  EXPECT_EQ(stream.at("discard"), "old");
  EXPECT_FALSE(stream.contains("placement"));
}

TEST(StreamApiTest, ItsBoundsAreThoseOfTheOptions) {
  const boost::json::object stream = Parse(StreamConfiguration({.replicas = 3,
                                                                .in_memory = true,
                                                                .messages_per_group_max = 100,
                                                                .age_max = absl::Seconds(90),
                                                                .bytes_max = 1'000'000,
                                                                .keys = absl::Seconds(60),
                                                                .placement_tag = "fast"}));
  EXPECT_EQ(stream.at("num_replicas"), 3);
  EXPECT_EQ(stream.at("storage"), "memory");
  EXPECT_EQ(stream.at("max_msgs_per_subject"), 101) << "one more shows where the kept ones begin";
  EXPECT_EQ(stream.at("max_age"), 90'000'000'000);
  EXPECT_EQ(stream.at("max_bytes"), 1'000'000);
  EXPECT_EQ(stream.at("duplicate_window"), 60'000'000'000);
  EXPECT_EQ(stream.at("placement").at("tags"), boost::json::array({"fast"}));
}

TEST(StreamApiTest, ReadsAStream) {
  const absl::StatusOr<StreamInfo> info = ReadStreamInfo(
      R"({"config":{"name":"chat"},"created":"2026-11-28T13:34:44.870452572Z","state":)"
      R"({"messages":2,"bytes":76,"first_seq":6,"last_seq":8,"consumer_count":0}})");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->created, "2026-11-28T13:34:44.870452572Z");
  EXPECT_EQ(info->first_sequence, 6u);
  EXPECT_EQ(info->last_sequence, 8u);
}

TEST(StreamApiTest, TellsWhyThereIsNoStream) {
  const absl::Status other =
      ReadStreamInfo(Failure(10058, "stream name already in use with a different configuration"))
          .status();
  EXPECT_EQ(other.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(other.message(),
            "JetStream says: stream name already in use with a different configuration");
  EXPECT_EQ(ReadStreamInfo(Failure(10059, "stream not found")).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(ReadStreamInfo(Failure(10076, "jetstream not enabled")).status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      ReadStreamInfo(Failure(10008, "jetstream system temporarily unavailable")).status().code(),
      StatusCode::kUnavailable);
}

TEST(StreamApiTest, APublicationGetsItsPlace) {
  const absl::StatusOr<PublishAnswer> first = ReadPublishAnswer(R"({"stream":"GC", "seq":7})");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->sequence, 7u);
  EXPECT_FALSE(first->is_repeat);
  const absl::StatusOr<PublishAnswer> repeat =
      ReadPublishAnswer(R"({"stream":"GC", "seq":1,"duplicate": true})");
  ASSERT_TRUE(repeat.ok()) << repeat.status();
  EXPECT_EQ(repeat->sequence, 1u);
  EXPECT_TRUE(repeat->is_repeat);
}

TEST(StreamApiTest, TellsWhyAPublicationHasNoPlace) {
  const auto code = [](const std::string& error) {
    return ReadPublishAnswer(absl::StrCat(R"({"error":)", error, R"(,"stream":"GC","seq":0})"))
        .status()
        .code();
  };
  EXPECT_EQ(code(R"({"code":503,"err_code":10077,"description":"maximum bytes exceeded"})"),
            StatusCode::kUnavailable);
  EXPECT_EQ(code(R"({"code":400,"err_code":10060,"description":"expected stream does not match"})"),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(R"({"code":400,"err_code":10054,"description":"message size exceeds maximum"})"),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(code("{}"), StatusCode::kUnavailable);
}

TEST(StreamApiTest, AsksForMessages) {
  EXPECT_EQ(FirstMessageRequest("chat.g.a=2E", 18'446'744'073'709'551'615u),
            R"({"next_by_subj":"chat.g.a=2E","seq":18446744073709551615})");
  EXPECT_EQ(LastMessageRequest("chat.g.a"), R"({"last_by_subj":"chat.g.a"})");
}

TEST(StreamApiTest, ReadsAMessage) {
  const absl::StatusOr<StoredMessage> message = ReadStoredMessage(
      R"({"type":"io.nats.jetstream.api.v1.stream_msg_get_response","message":)"
      R"({"subject":"gc.g.a","seq":4,"data":"bTM=","time":"2026-11-28T13:34:44.914681318Z"}})");
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->subject, "gc.g.a");
  EXPECT_EQ(message->sequence, 4u);
  EXPECT_EQ(message->data, "m3");
  const absl::StatusOr<StoredMessage> empty =
      ReadStoredMessage(R"({"message":{"subject":"gc.g.a","seq":5}})");
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->data, "");
  EXPECT_EQ(ReadStoredMessage(Failure(10037, "no message found")).status().code(),
            StatusCode::kNotFound);
}

TEST(StreamApiTest, WhatIsNoAnswerIsTold) {
  for (const char* const text :
       {"", "x", "[]", "{}", "null", R"({"error":1})", R"({"seq":"7"})", R"({"seq":-1})",
        R"({"seq":0})", R"({"seq":1.5})", R"({"message":1})", R"({"message":{}})",
        R"({"message":{"subject":"a","seq":1,"data":"!"}})", R"({"created":"x"})",
        R"({"created":"x","state":{"first_seq":1}})"}) {
    EXPECT_EQ(ReadStreamInfo(text).status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(ReadPublishAnswer(text).status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(ReadStoredMessage(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace groupcast::service
