#ifndef GROUPCAST_SERVICES_CHANNEL_CONTRACT_PEER_H_
#define GROUPCAST_SERVICES_CHANNEL_CONTRACT_PEER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/contract/engine_under_test.h"

namespace groupcast::service::contract {

// An event of a group, with the values that the listener received.
struct Event {
  enum class Kind { kSubscribed, kMessage, kGap };
  Kind kind{};
  Position position;      // after it
  uint64_t previous = 0;  // of a message
  History::Entry entry;   // of a message: its content
};

// The result of a publication. `times` counts the calls of its callback.
struct Outcome {
  int times = 0;
  absl::StatusOr<Position> result = absl::UnknownError("no answer yet");
  bool ok() const { return times > 0 && result.ok(); }
};

// A channel and its listener, like those of a careful user. All calls of the channel go through the
// peer. The peer checks the rules that hold at all times, and fails the test at the first breach:
//
//   - the channel calls nothing from inside a call of it, nor after its destruction
//   - OnSubscribed comes once for each Subscribe, before the group's messages
//   - each message follows the last position of its group, in its epoch, with a higher offset
//   - a gap begins at the last position, or names another epoch
//   - nothing of a group comes after Unsubscribe
//   - the connection's state changes with each OnConnectionState, and begins as not connected
//   - the channel calls a callback of Publish or FetchHistory once
class Peer final : public ChannelListener {
 public:
  // `engine` must outlive it.
  explicit Peer(EngineUnderTest* engine);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Destroys the channel.
  void Close();

  void Subscribe(absl::string_view group_id);
  void Unsubscribe(absl::string_view group_id);
  std::shared_ptr<const Outcome> Publish(const Publication& publication);
  std::shared_ptr<const Outcome> Publish(absl::string_view group_id, absl::string_view text);
  bool HasRoom(const PublicationsSize& size = {});
  bool connected() const { return channel_->connected(); }
  size_t message_bytes_max() const { return channel_->message_bytes_max(); }

  // The answer of AskHistory. It appears later in the returned object.
  struct Answer {
    int times = 0;
    absl::StatusOr<History> history = absl::UnknownError("no answer yet");
  };
  std::shared_ptr<const Answer> AskHistory(absl::string_view group_id, const Position& after,
                                           uint32_t newest);
  // Asks until the answer is not kUnavailable, because a connection may break at any time.
  absl::StatusOr<History> FetchHistory(absl::string_view group_id, const Position& after,
                                       uint32_t newest);

  // The events of the group since its last Subscribe.
  const std::vector<Event>& events(absl::string_view group_id);
  bool joined(absl::string_view group_id);
  // The texts of its messages.
  std::vector<std::string> texts(absl::string_view group_id);
  Position position(absl::string_view group_id);

  const std::vector<bool>& states() const { return states_; }
  // The state of the last OnConnectionState.
  bool is_told_connected() const { return !states_.empty() && states_.back(); }
  int rooms() const { return rooms_; }
  int gaps() const { return gaps_; }

  // The peer calls it from inside each event.
  std::function<void(absl::string_view group_id, const Event& event)> on_event;

 private:
  struct Group {
    bool subscribed = false;
    bool joined = false;
    std::vector<Event> events;
  };

  // Runs `call`. The channel must call nothing back during `call`.
  template <typename Call>
  auto In(Call call);
  // The calls that the channel may make now. A defective channel may call a callback after the
  // peer's end. The callback must still find the rules.
  struct Rules {
    bool in_call = false;
    bool closed = false;
    // Each callback calls it. False: the callback is a breach.
    bool MayCall(absl::string_view what) const;
  };

  void Add(absl::string_view group_id, Event event);

  void OnSubscribed(absl::string_view group_id, const Position& head) override;
  void OnMessage(const Message& message) override;
  void OnGap(absl::string_view group_id, const Gap& gap) override;
  void OnConnectionState(bool connected) override;
  void OnRoom() override;
  void OnMisconfigured(const absl::Status& why) override;

  EngineUnderTest* const engine_;
  std::map<std::string, Group, std::less<>> groups_;
  std::vector<bool> states_;
  int rooms_ = 0;
  int gaps_ = 0;
  const std::shared_ptr<Rules> rules_ = std::make_shared<Rules>();
  std::unique_ptr<Channel> channel_;
};

}  // namespace groupcast::service::contract

#endif  // GROUPCAST_SERVICES_CHANNEL_CONTRACT_PEER_H_
