#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_HARNESS_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_HARNESS_H_

// A Broker for tests. It turns the broker's output into words.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel_server/broker/broker.h"
#include "services/common/clock.h"

namespace groupcast::service {

using Words = std::vector<std::string>;

inline constexpr Epoch kEpoch{7};
inline constexpr Epoch kNextEpoch{8};
inline constexpr PublisherId kA{1};
inline constexpr PublisherId kB{2};

class FakeSink final : public BrokerSink {
 public:
  absl::Status WriteLog(std::string* record) override;
  bool HandOut(size_t index) override;
  bool Announce(absl::string_view frame) override;
  Sent SendControl(PublisherId to, absl::string_view frame) override;

  Words told;                           // announcements and control, without digests
  Words digests;                        // "to 1: #2 x 5"
  Words everything;                     // in the order of the calls, with "write" and "hand out 0"
  channel::v1::HelloReply hello_reply;  // the last one
  channel::v1::History history;
  Words heads;                    // "x 5"
  uint64_t announced_number = 0;  // of the last announcement

  struct Record {
    std::string bytes;
    bool is_snapshot_part = false;
  };
  std::vector<Record> log;  // from its last segment on
  bool log_works = true;
  int room = 1'000'000;  // of messages and announcements
  // The frames of the turn's accepted publications. A socket takes each frame that it hands out.
  std::vector<std::string*> accepted;
  Sent reachable = Sent::kSent;
};

// How often the word is in the bytes.
size_t Count(absl::string_view bytes, absl::string_view word);

// Small bounds. Epochs are kEpoch and those after it.
BrokerOptions SmallOptions(bool has_log = false);

struct Published {
  uint64_t first_unacknowledged = 0;
  Fingerprint key;
  std::string body = "body";
  LiveKind kind = LiveKind::kPublication;
};

struct BrokerHarness {
  // Begins a turn. Publishers A and B say hello in it.
  explicit BrokerHarness(const BrokerOptions& options = SmallOptions());

  // Another process with the log of this one. It has begun its first turn. A new history has
  // kNextEpoch.
  std::unique_ptr<BrokerHarness> Restart(bool tail_may_be_missing = false,
                                         absl::Duration down = absl::ZeroDuration()) const;
  // Begins a new segment of the log. The harness drops all earlier records.
  void BeginSegment();
  // Writes the next part of its snapshot. False: it was the last part.
  bool AddSnapshotPart();
  // Begins a new segment and writes a whole snapshot.
  void Rotate();

  // Begins a new segment and writes an image.
  void BeginAnew();

  // All parts of a snapshot, in words.
  Words TakeSnapshot();

  // Returns the answer in words.
  std::string Hello(PublisherId from, uint64_t first_unacknowledged = 1, Epoch epoch = {},
                    uint64_t highest_offset = 0);

  // Returns "previous→offset" of the new message, or the error.
  std::string Publish(PublisherId publisher, uint64_t number, absl::string_view group_id,
                      const Published& published = {});

  void Subscribe(absl::string_view group_id, PublisherId nonce = {});
  void Unsubscribe(absl::string_view group_id, PublisherId nonce = {});

  // Ends the turn and begins the next one. Returns the output since the last call, without digests.
  Words EndTurn();
  // Lets time pass, with a turn at least once a second.
  void Pass(absl::Duration time);
  // Lets the process stand still for `time`, and then begins a turn.
  void Stall(absl::Duration time);
  Words Digests() { return std::exchange(sink.digests, {}); }

  const channel::v1::History& Fetch(absl::string_view group_id, uint64_t after, uint32_t newest = 0,
                                    Epoch epoch = kEpoch);
  // Asks, without the answer.
  void AskHistory(PublisherId from, absl::string_view group_id);
  // Returns "3 5 from 2 up to 5": the offsets, the floor and the head of a fetch.
  std::string History(absl::string_view group_id, uint64_t after = 0, uint32_t newest = 0,
                      Epoch epoch = kEpoch);
  Words Compare(const std::vector<std::pair<std::string, uint64_t>>& heads, Epoch epoch = kEpoch);

  BrokerOptions options;
  FakeClock clock;
  FakeClock calendar;
  FakeSink sink;
  Broker broker;

 private:
  struct FromLog {};
  BrokerHarness(FromLog, const BrokerOptions& options, const FakeClock& calendar);
  void ForgetFrames();
  void GiveControl(PublisherId from, ControlKind kind, const google::protobuf::MessageLite& body);

  std::deque<std::string> frames_;  // of the turn
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_HARNESS_H_
