#include "services/channel_server/broker/broker_harness.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr size_t kRecordRoomBytes = 7;

std::string ResultWords(const channel::v1::Acknowledgement& results) {
  std::string words = absl::StrCat("from ", results.first_number(), ":");
  for (const uint64_t offset : results.offsets()) absl::StrAppend(&words, " ", offset);
  for (const channel::v1::Refusal& refusal : results.refusals()) {
    absl::StrAppend(&words, " ", refusal.number(), " ",
                    channel::v1::Refusal::Reason_Name(refusal.reason()));
  }
  return words;
}

template <typename Body>
Body Parse(const ControlView& view) {
  Body body;
  EXPECT_TRUE(body.ParseFromString(std::string(view.body)));
  return body;
}

template <typename Heads>
Words HeadWords(const Heads& heads) {
  Words words;
  for (const channel::v1::Head& head : heads.heads()) {
    words.push_back(absl::StrCat(head.group_id(), " ", head.offset()));
  }
  std::sort(words.begin(), words.end());
  return words;
}

std::string EpochWord(uint64_t epoch) {
  return Epoch{epoch} == kEpoch ? "" : absl::StrCat(" of epoch ", epoch);
}

}  // namespace

absl::Status FakeSink::WriteLog(std::string* record) {
  if (!log_works) return absl::UnavailableError("disk full");
  EXPECT_EQ(record->substr(0, kRecordRoomBytes), std::string(kRecordRoomBytes, '\0'));
  log.push_back({record->substr(kRecordRoomBytes)});
  everything.push_back("write");
  return absl::OkStatus();
}

bool FakeSink::HandOut(size_t index) {
  if (room == 0) return false;
  --room;
  std::fill(accepted.at(index)->begin(), accepted.at(index)->end(), '?');
  everything.push_back(absl::StrCat("hand out ", index));
  return true;
}

bool FakeSink::Announce(absl::string_view bytes) {
  if (room == 0) return false;
  --room;
  const LiveFrame frame = *ParseLiveFrame(bytes);
  std::string words =
      absl::StrCat("head ", frame.group_id, " ", frame.header.offset, " floor ",
                   frame.header.previous, EpochWord(static_cast<uint64_t>(frame.header.epoch)));
  if (const auto nonce = static_cast<uint64_t>(frame.header.publisher); nonce != 0) {
    absl::StrAppend(&words, " for ", nonce);
  }
  announced_number = frame.header.number;
  everything.push_back(words);
  told.push_back(words);
  return true;
}

BrokerSink::Sent FakeSink::SendControl(PublisherId to, absl::string_view bytes) {
  if (reachable != Sent::kSent) return reachable;
  const ControlView view = *ParseControlFrame(bytes);
  const std::string name = absl::StrCat("to ", static_cast<uint64_t>(to), ": ");
  std::string words;
  switch (view.kind) {
    case ControlKind::kHelloReply: {
      hello_reply = Parse<channel::v1::HelloReply>(view);
      const channel::v1::HelloReply& reply = hello_reply;
      words = absl::StrCat(reply.known() ? "known" : "new", EpochWord(reply.epoch()), " after ",
                           reply.last_accepted());
      if (reply.results().offsets_size() > 0) {
        absl::StrAppend(&words, " ", ResultWords(reply.results()));
      }
      if (reply.reading_paused()) absl::StrAppend(&words, " paused");
      break;
    }
    case ControlKind::kAcknowledgement: {
      const auto results = Parse<channel::v1::Acknowledgement>(view);
      words = absl::StrCat(ResultWords(results), EpochWord(results.epoch()));
      break;
    }
    case ControlKind::kDigest: {
      const auto digest = Parse<channel::v1::Digest>(view);
      digests.push_back(
          absl::StrJoin({name + absl::StrCat("#", digest.number(), EpochWord(digest.epoch())),
                         absl::StrJoin(HeadWords(digest), " ")},
                        digest.heads_size() > 0 ? " " : ""));
      everything.push_back("digest");
      return Sent::kSent;
    }
    case ControlKind::kHistory:
      history = Parse<channel::v1::History>(view);
      everything.push_back(name + "history");
      return Sent::kSent;
    case ControlKind::kHeads:
      heads = HeadWords(Parse<channel::v1::Heads>(view));
      return Sent::kSent;
    default:
      words = "?";
  }
  everything.push_back(name + words);
  told.push_back(name + words);
  return Sent::kSent;
}

size_t Count(absl::string_view bytes, absl::string_view word) {
  size_t count = 0;
  for (size_t at = bytes.find(word); at != bytes.npos; at = bytes.find(word, at + 1)) ++count;
  return count;
}

BrokerOptions SmallOptions(bool has_log) {
  return {.new_epoch = [next = std::make_shared<uint64_t>(
                            static_cast<uint64_t>(kEpoch))] { return Epoch{(*next)++}; },
          .has_log = has_log,
          .record_room_bytes = kRecordRoomBytes,
          .max_message_bytes = 100,
          .retention = {.history_messages_max = 3},
          .publishers = {.publishers_max = 4, .results_max = 4},
          .keys = {.keys_max = 3},
          .idle_groups_max = 3};
}

BrokerHarness::BrokerHarness(const BrokerOptions& options)
    : options(options), broker(options, &clock, &calendar) {
  Rotate();
  broker.BeginTurn();
  Hello(kA);
  Hello(kB);
  EndTurn();
  Digests();
  sink.everything.clear();
}

BrokerHarness::BrokerHarness(FromLog, const BrokerOptions& options, const FakeClock& calendar)
    : options(options), calendar(calendar), broker(this->options, &clock, &this->calendar) {}

std::unique_ptr<BrokerHarness> BrokerHarness::Restart(bool tail_may_be_missing,
                                                      absl::Duration down) const {
  BrokerOptions next = options;
  // The first epoch is for an empty log.
  next.new_epoch = [is_first = std::make_shared<bool>(true)] {
    return std::exchange(*is_first, false) ? Epoch{99} : kNextEpoch;
  };
  std::unique_ptr<BrokerHarness> other(new BrokerHarness(FromLog(), next, calendar));
  other->calendar.Advance(down);
  other->sink.log = sink.log;
  Restorer* const restorer = other->broker.restorer();
  for (const FakeSink::Record& record : sink.log) {
    EXPECT_TRUE((record.is_snapshot_part ? restorer->OnSnapshotPart(record.bytes)
                                         : restorer->OnTurnRecord(record.bytes))
                    .ok());
  }
  restorer->OnSnapshotEnd();
  other->broker.FinishRecovery(tail_may_be_missing);
  other->broker.BeginTurn();
  return other;
}

void BrokerHarness::BeginSegment() {
  sink.log.clear();
  broker.snapshot()->Begin();
}

bool BrokerHarness::AddSnapshotPart() {
  sink.log.push_back({broker.snapshot()->NextPart(), /*is_snapshot_part=*/true});
  return !broker.snapshot()->done();
}

void BrokerHarness::Rotate() {
  BeginSegment();
  while (AddSnapshotPart()) {
  }
}

void BrokerHarness::BeginAnew() {
  BeginSegment();
  ImageWriter image = broker.WriteImage();
  for (std::string part; image.NextPart(&part);) {
    sink.log.push_back({part, /*is_snapshot_part=*/true});
  }
}

Words BrokerHarness::TakeSnapshot() {
  Words parts;
  broker.snapshot()->Begin();
  while (!broker.snapshot()->done()) parts.push_back(broker.snapshot()->NextPart());
  return parts;
}

void BrokerHarness::GiveControl(PublisherId from, ControlKind kind,
                                const google::protobuf::MessageLite& body) {
  EXPECT_TRUE(broker.OnControl(from, ControlFrame(kind, body), &sink).ok());
}

std::string BrokerHarness::Hello(PublisherId from, uint64_t first_unacknowledged, Epoch epoch,
                                 uint64_t highest_offset) {
  channel::v1::Hello hello;
  hello.set_first_unacknowledged(first_unacknowledged);
  hello.set_epoch(static_cast<uint64_t>(epoch));
  hello.set_highest_offset(highest_offset);
  const size_t before = sink.told.size();
  GiveControl(from, ControlKind::kHello, hello);
  if (sink.told.size() == before) return "";
  std::string words = std::move(sink.told.back());
  sink.told.pop_back();
  return words;
}

std::string BrokerHarness::Publish(PublisherId publisher, uint64_t number,
                                   absl::string_view group_id, const Published& published) {
  std::string& frame =
      frames_.emplace_back(LiveFramePrefix(group_id, {.kind = published.kind,
                                                      .publisher = publisher,
                                                      .number = number,
                                                      .offset = published.first_unacknowledged,
                                                      .key = published.key}) +
                           published.body);
  const absl::Status status = broker.OnPublication(absl::MakeSpan(frame));
  if (!status.ok()) return absl::StatusCodeToString(status.code());
  sink.accepted.push_back(&frame);
  const LiveFrame message = *ParseLiveFrame(frame);
  EXPECT_EQ(message.header.kind, LiveKind::kMessage);
  EXPECT_EQ(message.header.epoch, broker.epoch());
  EXPECT_EQ(message.header.key, published.key);
  EXPECT_EQ(message.body, published.body);
  return absl::StrCat(message.header.previous, "→", message.header.offset);
}

void BrokerHarness::Subscribe(absl::string_view group_id, PublisherId nonce) {
  EXPECT_TRUE(broker
                  .OnSubscription(nonce == PublisherId{} ? TopicOf(group_id)
                                                         : ProofTopicOf(group_id, nonce))
                  .ok());
}

void BrokerHarness::Unsubscribe(absl::string_view group_id, PublisherId nonce) {
  EXPECT_TRUE(broker
                  .OnUnsubscription(nonce == PublisherId{} ? TopicOf(group_id)
                                                           : ProofTopicOf(group_id, nonce))
                  .ok());
}

Words BrokerHarness::EndTurn() {
  EXPECT_EQ(broker.EndTurn(&sink).ok(), sink.log_works || !options.has_log || frames_.empty());
  if (!broker.handing_out()) ForgetFrames();
  broker.BeginTurn();
  return std::exchange(sink.told, {});
}

void BrokerHarness::Pass(absl::Duration time) {
  while (time > absl::ZeroDuration()) {
    const absl::Duration step = std::min(time, absl::Seconds(1));
    time -= step;
    clock.Advance(step);
    calendar.Advance(step);
    broker.BeginTurn();
    broker.EndTurn(&sink).IgnoreError();
  }
  if (!broker.handing_out()) ForgetFrames();
  broker.BeginTurn();
}

void BrokerHarness::ForgetFrames() {
  frames_.clear();
  sink.accepted.clear();
}

void BrokerHarness::Stall(absl::Duration time) {
  clock.Advance(time);
  calendar.Advance(time);
  broker.BeginTurn();
}

const channel::v1::History& BrokerHarness::Fetch(absl::string_view group_id, uint64_t after,
                                                 uint32_t newest, Epoch epoch) {
  channel::v1::FetchHistory fetch;
  fetch.set_group_id(std::string(group_id));
  fetch.set_after(after);
  fetch.set_epoch(static_cast<uint64_t>(epoch));
  fetch.set_newest(newest);
  sink.history.Clear();
  GiveControl(kA, ControlKind::kFetchHistory, fetch);
  broker.AnswerQuestions(&sink);
  return sink.history;
}

void BrokerHarness::AskHistory(PublisherId from, absl::string_view group_id) {
  channel::v1::FetchHistory fetch;
  fetch.set_group_id(std::string(group_id));
  GiveControl(from, ControlKind::kFetchHistory, fetch);
}

std::string BrokerHarness::History(absl::string_view group_id, uint64_t after, uint32_t newest,
                                   Epoch epoch) {
  const channel::v1::History& history = Fetch(group_id, after, newest, epoch);
  std::string words;
  for (const std::string& frame : history.messages()) {
    absl::StrAppend(&words, ParseLiveFrame(frame)->header.offset, " ");
  }
  return absl::StrCat(words, "from ", history.floor(), " up to ", history.head());
}

Words BrokerHarness::Compare(const std::vector<std::pair<std::string, uint64_t>>& heads,
                             Epoch epoch) {
  channel::v1::CompareHeads compare;
  compare.set_epoch(static_cast<uint64_t>(epoch));
  for (const auto& [group_id, offset] : heads) {
    channel::v1::Head* const head = compare.add_heads();
    head->set_group_id(group_id);
    head->set_offset(offset);
  }
  GiveControl(kA, ControlKind::kCompareHeads, compare);
  return std::exchange(sink.heads, {});
}

}  // namespace groupcast::service
