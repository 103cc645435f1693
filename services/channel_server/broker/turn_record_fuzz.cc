// Bytes from a log's disk. The first byte says what the rest is: a turn's record or a snapshot. A
// record that is read must be what would have been written, and whatever was restored, the broker
// must be able to work with it.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/broker/turn_record.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

class Rewriter final : public TurnVisitor {
 public:
  void OnTime(int64_t time_ms) override { writer.Begin(0, time_ms); }
  void OnMessage(const LiveFrame&, absl::string_view bytes) override { writer.AddMessage(bytes); }
  void OnResult(PublisherId publisher, uint64_t number, uint64_t offset, uint8_t reason) override {
    writer.AddResult(publisher, number, offset, reason);
  }
  void OnKnown(absl::string_view group_id, uint64_t floor) override {
    writer.AddKnown(group_id, floor);
  }
  void OnForgotten(absl::string_view group_id, uint64_t head) override {
    writer.AddForgotten(group_id, head);
  }
  void OnEpoch(Epoch epoch) override { writer.AddEpoch(epoch); }
  TurnWriter writer;
};

class Sink final : public BrokerSink {
 public:
  absl::Status WriteLog(std::string*) override { return absl::OkStatus(); }
  bool HandOut(size_t) override { return true; }
  bool Announce(absl::string_view) override { return true; }
  Sent SendControl(PublisherId, absl::string_view) override { return Sent::kSent; }
};

constexpr PublisherId kPublisher{9};

BrokerOptions Options() {
  return {.new_epoch = [] { return Epoch{7}; },
          .has_log = true,
          .retention = {.history_messages_max = 2, .bytes_max = 2000},
          .publishers = {.results_max = 4}};
}

void Work(Broker* broker, FakeClock* clock) {
  Sink sink;
  for (int turn = 0; turn < 2; ++turn) {
    clock->Advance(absl::Minutes(2));
    broker->BeginTurn();
    const auto give = [&](ControlKind kind, const google::protobuf::MessageLite& body) {
      if (!broker->OnControl(kPublisher, ControlFrame(kind, body), &sink).ok()) std::abort();
    };
    give(ControlKind::kHello, channel::v1::Hello());
    channel::v1::FetchHistory fetch;
    fetch.set_group_id("x");
    give(ControlKind::kFetchHistory, fetch);
    broker->AnswerQuestions(&sink);
    if (!broker->OnSubscription(TopicOf("x")).ok()) std::abort();
    std::string frame = LiveFramePrefix("x", {.kind = LiveKind::kPublication,
                                              .publisher = kPublisher,
                                              .number = static_cast<uint64_t>(turn) + 1}) +
                        "body";
    broker->OnPublication(absl::MakeSpan(frame)).IgnoreError();
    broker->EndTurn(&sink).IgnoreError();
  }
}

void Restore(absl::string_view bytes, bool is_snapshot, bool tail_may_be_missing) {
  FakeClock clock;
  Broker broker(Options(), &clock, &clock);
  // Twice, as after a snapshot or a turn that has the same groups and publishers.
  for (int i = 0; i < 2; ++i) {
    Restorer* const restorer = broker.restorer();
    (is_snapshot ? restorer->OnSnapshotPart(bytes) : restorer->OnTurnRecord(bytes)).IgnoreError();
  }
  broker.FinishRecovery(tail_may_be_missing);
  Work(&broker, &clock);
  Broker next(Options(), &clock, &clock);
  broker.snapshot()->Begin();
  while (!broker.snapshot()->done()) {
    if (!next.restorer()->OnSnapshotPart(broker.snapshot()->NextPart()).ok()) std::abort();
  }
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(build/namespaces)
  if (size == 0) return 0;
  const bool is_snapshot = (data[0] & 1) != 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (!is_snapshot) {
    Rewriter rewriter;
    if (ReadTurn(rest, &rewriter).ok() && rewriter.writer.record() != rest) std::abort();
  }
  Restore(rest, is_snapshot, (data[0] & 2) != 0);
  return 0;
}
