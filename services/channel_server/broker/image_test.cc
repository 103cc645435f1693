// An image restores everything: what a reader of the whole log would have.

#include "services/channel_server/broker/image.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "services/channel_server/broker/broker_harness.h"
#include "services/channel_server/broker/proto/snapshot.pb.h"

namespace groupcast::service {
namespace {

using channel_server::v1::Snapshot;

BrokerOptions Options() {
  BrokerOptions options = SmallOptions(true);
  options.max_message_bytes = 2'000'000;
  options.retention.bytes_max = 100'000'000;
  options.idle_groups_max = 1'000'000;
  options.publishers.results_max = 1'000;
  options.keys.keys_max = 1'000;
  return options;
}

// The parts as one. The order of the groups has no meaning.
Snapshot ImageOf(Broker* broker) {
  Snapshot all;
  ImageWriter image = broker->WriteImage();
  for (std::string part; image.NextPart(&part);) {
    Snapshot next;
    EXPECT_TRUE(next.ParseFromString(part));
    EXPECT_TRUE(next.has_image());
    EXPECT_EQ(next.continues(), all.has_image());
    next.clear_continues();
    all.MergeFrom(next);
  }
  std::sort(all.mutable_groups()->pointer_begin(), all.mutable_groups()->pointer_end(),
            [](const auto* a, const auto* b) { return a->group_id() < b->group_id(); });
  return all;
}

// What the image means: each message with its body.
std::string StateOf(Broker* broker) {
  Snapshot image = ImageOf(broker);
  std::map<PublisherId, std::string> bodies;
  for (auto& message : *image.mutable_image()->mutable_messages()) {
    std::string& body = bodies[ParseLiveFrame(message.head())->header.publisher];
    if (!message.has_body_before()) body = message.body();
    message.set_body(body);
    message.clear_has_body_before();
  }
  return image.DebugString();
}

// A server that was restored from an image has the same state.
void ExpectComesBack(BrokerHarness* server) {
  const std::string before = StateOf(&server->broker);
  server->BeginAnew();
  const std::unique_ptr<BrokerHarness> restarted = server->Restart();
  EXPECT_EQ(StateOf(&restarted->broker), before);
  EXPECT_LE(restarted->broker.retained_bytes(), server->broker.retained_bytes());
}

// Names the fields of the type, and of the types in it, that have no value in `message`.
void AddUnused(const google::protobuf::Message& message, std::vector<std::string>* unused) {
  const google::protobuf::Reflection* const reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* const field = message.GetDescriptor()->field(i);
    const bool is_used = field->is_repeated() ? reflection->FieldSize(message, field) > 0
                                              : reflection->HasField(message, field);
    if (!is_used) unused->push_back(field->full_name());
    if (!is_used || field->cpp_type() != field->CPPTYPE_MESSAGE) continue;
    AddUnused(field->is_repeated() ? reflection->GetRepeatedMessage(
                                         message, field, reflection->FieldSize(message, field) - 1)
                                   : reflection->GetMessage(message, field),
              unused);
  }
}

TEST(ImageTest, HasAndRestoresEachField) {
  BrokerHarness server(Options());
  const std::string large(1'000, 'x');
  server.Publish(kA, 1, "old");
  server.EndTurn();
  server.Pass(absl::Minutes(10));  // forgets it
  server.Publish(kA, 2, "x", {.key = {1, 2}, .body = large});
  server.Publish(kA, 3, "y", {.key = {3, 4}, .body = large});
  server.Publish(kA, 4, "y", {.kind = LiveKind::kVoid});
  server.Subscribe("quiet");
  server.EndTurn();
  std::vector<std::string> unused;
  AddUnused(ImageOf(&server.broker), &unused);
  EXPECT_EQ(unused, (std::vector<std::string>{
                        "groupcast.channel_server.v1.Snapshot.continues",
                        "groupcast.channel_server.v1.Image.Message.body"  // the last one shares
                    }));
  ExpectComesBack(&server);
}

// The image has one copy of a message to many groups, also if another publisher's messages come
// between. So has a server after it, and a server after the turns.
TEST(ImageTest, HasAMessageToManyGroupsOnce) {
  constexpr uint64_t kGroups = 50;
  BrokerHarness server(Options());
  const std::string body(10'000, 'x');
  for (uint64_t i = 1; i <= kGroups; ++i) {
    server.Publish(kA, i, absl::StrCat("of A ", i), {.body = body + "A"});
    server.Publish(kB, i, absl::StrCat("of B ", i), {.body = body + "B"});
    server.EndTurn();
  }
  const size_t once = 2 * body.size() + 2 * kGroups * 400;
  EXPECT_LT(server.broker.retained_bytes(), once);
  EXPECT_LT(ImageOf(&server.broker).ByteSizeLong(), once);
  EXPECT_LT(server.Restart()->broker.retained_bytes(), once);
  ExpectComesBack(&server);

  // A server with room for one message drops the messages that have the bodies.
  server.options.retention.bytes_max = 5'000;
  const std::unique_ptr<BrokerHarness> small = server.Restart();
  const Snapshot image = ImageOf(&small->broker);
  ASSERT_EQ(image.image().messages_size(), 1);
  EXPECT_EQ(image.image().messages(0).body(), body + "B");
}

TEST(ImageTest, ComesInPartsOfBoundedSize) {
  BrokerHarness server(Options());
  uint64_t number = 0;
  for (int i = 0; i < 30; ++i) {
    server.Publish(kA, ++number, absl::StrCat("group ", i), {.body = std::string(300'000, 'x')});
    server.Publish(kA, ++number, "other", {.body = absl::StrCat(i, std::string(300'000, 'y'))});
    server.EndTurn();
  }
  ImageWriter image = server.broker.WriteImage();
  int parts = 0;
  for (std::string part; image.NextPart(&part); ++parts) EXPECT_LT(part.size(), 1'500'000u);
  EXPECT_GT(parts, 5);
  ExpectComesBack(&server);
}

// Each kind of content fills parts of its own.
TEST(ImageTest, EachPartButTheLastHasAMegabyte) {
  static constexpr size_t kMegabyte = 1u << 20;
  const auto expect_parts = [](const BrokerOptions& options, const auto& fill) {
    BrokerHarness server(options);
    fill(&server);
    ImageWriter image = server.broker.WriteImage();
    std::vector<size_t> sizes;
    for (std::string part; image.NextPart(&part);) sizes.push_back(part.size());
    EXPECT_GT(sizes.size(), 1u);
    for (const size_t size : sizes) EXPECT_LT(size, kMegabyte * 11 / 10);
    for (size_t i = 0; i + 1 < sizes.size(); ++i) EXPECT_GE(sizes[i], kMegabyte);
  };
  BrokerOptions options = Options();
  expect_parts(options, [](BrokerHarness* server) {  // messages
    for (uint64_t number = 1; number <= 250; ++number) {
      server->Publish(kA, number, "x", {.body = absl::StrCat(number, std::string(10'000, 'x'))});
    }
    server->EndTurn();
  });
  expect_parts(options, [](BrokerHarness* server) {  // groups
    for (int i = 0; i < 25'000; ++i) {
      server->Subscribe(absl::StrCat("g", i, std::string(100, 'x')), PublisherId{77});
    }
    server->EndTurn();
  });
  options.keys.keys_max = 1'000'000;
  options.retention.bytes_max = 1;
  expect_parts(options, [](BrokerHarness* server) {  // keys
    for (uint64_t number = 1; number <= 60'000; ++number) {
      server->Publish(kA, number, "x", {.first_unacknowledged = number, .key = {number, 1}});
      if (number % 1'000 == 0) server->EndTurn();
    }
  });
  options.publishers = {.publishers_max = 1'000, .results_max = 10'000};
  expect_parts(options, [](BrokerHarness* server) {  // results
    for (uint64_t id = 10; id < 80; ++id) {
      server->Hello(PublisherId{id});
      for (uint64_t number = 1; number <= 10'000; ++number) {
        server->Publish(PublisherId{id}, number, "x", {.kind = LiveKind::kVoid});
      }
      server->EndTurn();
    }
  });
}

// Their numbers have ended with the epoch before. They have said hello since, or will.
TEST(ImageTest, HasOnlyPublishersWithNumbers) {
  BrokerHarness server(Options());
  server.Publish(kA, 1, "x");
  server.EndTurn();
  EXPECT_EQ(ImageOf(&server.broker).publishers_size(), 2);
  server.Hello(kB, 1, kEpoch, 9);
  server.EndTurn();
  ASSERT_EQ(server.broker.epoch(), kNextEpoch);
  ASSERT_EQ(server.broker.publisher_count(), 2u);
  const Snapshot image = ImageOf(&server.broker);
  ASSERT_EQ(image.publishers_size(), 1);
  EXPECT_EQ(PublisherId{image.publishers(0).id()}, kB);
}

TEST(ImageTest, ReplacesWhateverStandsBeforeIt) {
  BrokerHarness server(Options());
  for (uint64_t i = 1; i <= 10; ++i) {
    server.Publish(kA, i, absl::StrCat("group ", i % 3), {.key = {i, 1}});
    server.EndTurn();
  }
  const std::vector<FakeSink::Record> before = server.sink.log;
  const std::string image = ImageOf(&server.broker).DebugString();
  server.BeginAnew();
  server.sink.log.insert(server.sink.log.begin(), before.begin(), before.end());
  const std::unique_ptr<BrokerHarness> restarted = server.Restart();
  EXPECT_EQ(ImageOf(&restarted->broker).DebugString(), image);
  EXPECT_EQ(restarted->History("group 1"), server.History("group 1"));
}

TEST(ImageTest, TurnsGoOnAfterIt) {
  BrokerHarness server(Options());
  server.Publish(kA, 1, "x", {.key = {1, 2}});
  server.EndTurn();
  server.BeginAnew();
  server.Publish(kA, 2, "x");
  server.EndTurn();
  const std::unique_ptr<BrokerHarness> restarted = server.Restart();
  EXPECT_EQ(restarted->History("x"), "1 2 from 0 up to 2");
  EXPECT_EQ(restarted->Hello(kA, 1), "to 1: known after 2 from 1: 1 2");
  EXPECT_EQ(restarted->Publish(kA, 3, "x", {.key = {1, 2}}), "ALREADY_EXISTS");
}

TEST(ImageTest, WhatNoTurnInTheLogHasNamedIsNotInIt) {
  BrokerHarness server(Options());
  server.Publish(kA, 1, "x");
  server.EndTurn();
  server.sink.log_works = false;
  server.Subscribe("new");
  server.Publish(kA, 2, "x", {.key = {1, 2}});
  server.EndTurn();
  const Snapshot image = ImageOf(&server.broker);
  EXPECT_EQ(image.groups_size(), 1);
  EXPECT_EQ(image.image().messages_size(), 1);
  EXPECT_EQ(image.image().keys_size(), 0);
  // It was refused.
  ASSERT_EQ(image.image().results_size(), 2);
  const auto& results = image.image().results(1);  // of A, which was heard of last
  ASSERT_EQ(results.offsets_size(), 2);
  EXPECT_EQ(results.offsets(1), 0u);
  ExpectComesBack(&server);
}

TEST(ImageTest, BadBytesAreAnError) {
  BrokerHarness server(Options());
  Snapshot bad_message;
  bad_message.mutable_image()->add_messages()->set_head("no frame");
  EXPECT_EQ(server.broker.restorer()->OnSnapshotPart(bad_message.SerializeAsString()).code(),
            absl::StatusCode::kDataLoss);
  BrokerHarness other(Options());
  other.Publish(kA, 1, "x");
  other.EndTurn();
  Snapshot no_body = ImageOf(&other.broker);
  no_body.mutable_image()->mutable_messages(0)->set_has_body_before(true);
  EXPECT_EQ(server.broker.restorer()->OnSnapshotPart(no_body.SerializeAsString()).code(),
            absl::StatusCode::kDataLoss);
  Snapshot bad_key;
  bad_key.mutable_image()->add_keys()->set_key("short");
  EXPECT_EQ(server.broker.restorer()->OnSnapshotPart(bad_key.SerializeAsString()).code(),
            absl::StatusCode::kDataLoss);
}

// Whatever happened before.
TEST(ImageTest, ComesBackAfterRandomTurns) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](unsigned bound) { return static_cast<unsigned>(random() % bound); };
    BrokerOptions options = Options();
    options.idle_groups_max = 2;
    options.keys.keys_max = 5;
    options.retention.bytes_max = 20'000;
    options.retention.repair_retention = absl::Seconds(5);
    options.publishers.results_max = 10;
    BrokerHarness server(options);
    std::array<uint64_t, 2> numbers{};
    for (int turn = 0; turn < 200; ++turn) {
      for (unsigned i = below(4); i > 0; --i) {
        const unsigned publisher = below(2);
        const uint64_t number = ++numbers[publisher];
        const uint64_t key = below(2) * (1 + below(10));
        server.Publish(publisher == 0 ? kA : kB, number, absl::StrCat("group ", below(8)),
                       {.first_unacknowledged = number > 5 ? number - 5 : 0,
                        .key = key == 0 ? Fingerprint{} : Fingerprint{key, 1},
                        .body = std::string(below(2) * 500 + 10, static_cast<char>('a' + below(2))),
                        .kind = below(10) == 0 ? LiveKind::kVoid : LiveKind::kPublication});
      }
      if (below(5) == 0) server.Subscribe(absl::StrCat("group ", below(12)));
      if (below(5) == 0) server.Unsubscribe(absl::StrCat("group ", below(12)));
      server.EndTurn();
      if (below(10) == 0) server.Pass(absl::Seconds(below(4)));
    }
    ExpectComesBack(&server);
  }
}

}  // namespace
}  // namespace groupcast::service
