#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CLIENT_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/feed.h"
#include "services/channel/head_checks.h"
#include "services/channel/nats/history_read.h"
#include "services/channel/nats/nats_connection.h"
#include "services/channel/nats/nats_writer.h"
#include "services/channel/nats/publications.h"
#include "services/channel/nats/stream_api.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/repairs.h"
#include "services/common/clock.h"

namespace groupcast::service {

struct NatsClientOptions {
  StreamOptions stream;
  size_t message_bytes_max = 64 * 1024;
  bool server_may_take_less = false;
  size_t window_bytes_max = 64u << 20;
  size_t history_bytes_max = 256 * 1024;  // of one answer
  // All feeds together hold at most this while they wait for repairs.
  size_t held_bytes_max = 32u << 20;
  // The random number of this process.
  uint64_t publisher = 0;
};

// A channel over a JetStream stream. Offsets are the stream's sequence numbers.
//
//   publish    a JetStream publication with an id, and its answer (Publications)
//   live       a core subscription to the copies that the stream hands out (RePublish). A copy
//              comes once at most: it names its predecessor, so the feed sees what is missing
//   join       first the subscription, then the stream's leader tells the group's last message. The
//              leader's server knows the subscription by then: both go the same way, in order
//   repair     requests to the leader (HistoryRead)
//
// A copy of a group's last message that is lost shows in no later one. So the client compares the
// heads of its groups with the stream: after each connection all of them at once, and otherwise one
// after the other for ever; and those groups that it publishes to after each answer.
//
// The epoch is the stream's identity: its name and the time at which it was made.
//
// Logic only: the owner gives it the events of the connection, calls Tick about every 50 ms, and
// GiveAnswers after each call of any method. Not thread-safe.
class NatsClient final : public Channel, private RepairLink, private FeedSink {
 public:
  struct Counters {
    uint64_t gaps = 0;       // calls of OnGap
    uint64_t malformed = 0;  // messages that could not be read
    uint64_t behind = 0;     // heads whose copies did not come
  };

  // All pointers must outlive it.
  NatsClient(const NatsClientOptions& options, const Clock* clock, NatsWriter* writer,
             ChannelListener* listener);
  ~NatsClient() override;
  NatsClient(const NatsClient&) = delete;
  NatsClient& operator=(const NatsClient&) = delete;

  void OnConnected(const NatsServerInfo& server);
  void OnLost();
  void OnMessage(const NatsMessage& message);
  void Tick();
  bool GiveAnswers();

  void Publish(const Publication& publication, PublishCallback done) override;
  bool HasRoomFor(const PublicationsSize& size) override;
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return is_open_; }
  size_t message_bytes_max() const override { return message_bytes_max_; }
  Stats stats() const override;

  const Counters& counters() const { return counters_; }
  // Why the stream cannot be used, if it cannot; for the log. OK: it can, or it is not known yet.
  const absl::Status& defect() const { return defect_; }

 private:
  struct Group {
    const std::string* id = nullptr;  // the key in the map
    Feed feed;
    uint64_t number = 0;  // of the subscription on this connection; 0: none
    bool ended = false;   // unsubscribed during a delivery
    size_t counted_bytes = 0;
  };
  // A request to JetStream, by its number.
  struct Request {
    std::function<void(int nats_status, absl::string_view json)> on_answer;
    absl::Time deadline;
  };

  void OpenStream();
  void OnStream(int nats_status, absl::string_view json);
  void Ask(const std::string& subject, const std::string& body,
           std::function<void(int, absl::string_view)> on_answer);
  void SubscribeToCopies(Group* group);
  void AskHeads();
  void OnHead(const std::string& group_id, uint64_t number, const absl::StatusOr<uint64_t>& head);
  void OnLive(const NatsMessage& message);
  void CompareNext();
  void CheckHead(absl::string_view group_id, const Position& head);

  // Runs `work` on the feed, which delivers to the listener. The group may be gone afterwards.
  template <typename Work>
  void WithFeed(Group* group, Work work);
  void Deliver(const Position& position, uint64_t previous, absl::string_view body) override;
  void Tell(const Gap& gap) override;

  // RepairLink.
  bool CanAsk() const override { return is_open_; }
  std::optional<Position> RepairFrom(absl::string_view group_id) override;
  bool AskHistory(uint64_t request, absl::string_view group_id, const Position& after,
                  uint32_t newest) override;
  void Continue(uint64_t request);
  void OnRead(uint64_t request);

  Group* Find(absl::string_view group_id);
  void Later(std::function<void()> work) { due_.push_back(std::move(work)); }

  const NatsClientOptions options_;
  const Clock* const clock_;
  NatsWriter* const writer_;
  ChannelListener* const listener_;
  Counters counters_;
  absl::Status defect_;
  size_t message_bytes_max_;

  bool is_connected_ = false;  // to a server
  bool is_open_ = false;       // the stream can be used
  bool was_open_ = false;
  absl::Time open_again_at_ = absl::InfiniteFuture();
  absl::Time lost_at_ = absl::InfinitePast();
  Epoch epoch_{};
  uint64_t last_sequence_ = 0;  // of the stream, as far as it is known
  std::string inbox_;
  uint64_t connections_ = 0;
  uint64_t last_number_ = 0;  // of requests
  std::map<uint64_t, Request> requests_;

  Publications publications_;
  Repairs repairs_;
  HeadChecks head_checks_;
  std::map<uint64_t, std::unique_ptr<HistoryRead>> reads_;  // by the number of Repairs
  absl::node_hash_map<std::string, Group> groups_;
  absl::flat_hash_map<uint64_t, Group*> by_number_;
  uint64_t last_subscription_ = 1;  // the inbox has 1
  // Groups whose heads the leader is to tell: those that were subscribed on this connection.
  std::deque<std::string> unasked_;
  size_t heads_asked_ = 0;
  // The groups in the order in which they are compared, over and over.
  std::deque<std::string> to_compare_;
  absl::Time compare_at_ = absl::InfinitePast();
  size_t held_bytes_ = 0;
  Group* delivering_ = nullptr;
  std::vector<absl::node_hash_map<std::string, Group>::node_type> ended_;
  channel::v1::Content incoming_;
  std::optional<size_t> wanted_room_;
  size_t promised_ = 0;  // publications that HasRoomFor has promised room
  std::vector<std::function<void()>> due_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CLIENT_H_
