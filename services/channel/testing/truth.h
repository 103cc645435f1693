#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_TRUTH_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_TRUTH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/fingerprint.h"
#include "services/channel/position.h"

namespace groupcast::service::testing {

// The real events of a run, as an observer of all processes sees them: each group's messages in
// their order, in each epoch. It checks the promises against these events. It keeps the first
// broken promise as a sentence.
class Truth {
 public:
  struct Message {
    uint64_t offset;
    uint64_t previous;
    std::string text;
    absl::Time at;  // when the server accepted it
  };

  // A key counts for this time. In it, no second message with the key may get a place in the epoch.
  void CountKeysFor(absl::Duration window) { key_window_ = window; }
  absl::Duration key_window() const { return key_window_; }

  // A worker has refused a join, so a connection has left a group without a command to leave.
  void OnJoinRefused() { join_refused_ = true; }
  bool join_refused() const { return join_refused_; }

  // The server has given a message its place. The place is final: the message is in the log, or
  // there is no log. The server accepted the message at `at`; an empty key is none.
  void OnPlaced(absl::string_view group_id, const Position& position, uint64_t previous,
                absl::string_view text, const Fingerprint& key, absl::Time at);

  // The publisher of `text` has received this place as the result.
  void OnAcknowledged(absl::string_view group_id, const Position& position, absl::string_view text);
  // `text` is published more than once, with a key that a new epoch may not know.
  void MayComeAgain(absl::string_view group_id, absl::string_view text) {
    places_[{std::string(group_id), std::string(text)}].may_come_again = true;
  }
  // `text` has no key, and the server may forget its publisher before it sends the result.
  void MayBeDoubled(absl::string_view group_id, absl::string_view text) {
    places_[{std::string(group_id), std::string(text)}].may_be_doubled = true;
  }
  // The publisher of `text` has received the result that the message was not published.
  void OnRefused(absl::string_view group_id, absl::string_view text) {
    refused_.emplace_back(group_id, text);
  }

  // The server stands still, is away, or has begun again. Ages that it knows may differ from the
  // real ones, for messages before this time.
  void OnServerDisturbed(absl::Time now) { undisturbed_since_ = now; }
  absl::Time undisturbed_since() const { return undisturbed_since_; }

  // The next message of the group after `offset` in that epoch; null: there is none.
  const Message* Next(absl::string_view group_id, Epoch epoch, uint64_t offset) const;
  // The message at that place; null: there is none.
  const Message* At(absl::string_view group_id, const Position& position) const;

  // The number of messages after it.
  size_t CountAfter(absl::string_view group_id, const Position& position) const;

  // The newest `count` messages of the group up to `head`, oldest first.
  std::vector<const Message*> Newest(absl::string_view group_id, const Position& head,
                                     size_t count) const;

  // Whether the group's message with this text has a place, in any epoch.
  bool IsPlaced(absl::string_view group_id, absl::string_view text) const {
    return PlaceOf(group_id, text).offset != 0;
  }

  // Whether it has more than one place. The text alone does not show which place a message has.
  bool HasComeAgain(absl::string_view group_id, absl::string_view text) const {
    const auto found = places_.find({std::string(group_id), std::string(text)});
    return found != places_.end() && found->second.count > 1;
  }

  // The last place of the group's message with this text; offset 0: it has none.
  Position PlaceOf(absl::string_view group_id, absl::string_view text) const {
    const auto found = places_.find({std::string(group_id), std::string(text)});
    return found == places_.end() ? Position{} : found->second.position;
  }

  // A client has connected. `session`: empty if it named none.
  void OnConnection(uint64_t id, const std::string& session) { sessions_[id] = session; }
  // The name of the client behind a connection, for views of members: two connections of a session
  // have the same one.
  std::string ClientOf(uint64_t id) const;

  // From now on members may get gaps: an event has happened that may cause losses.
  void AllowLosses() { may_lose_ = true; }
  bool may_lose() const { return may_lose_; }

  // At the end: checks that refused messages have no place.
  void CheckRefused();

  // Calls `trace` with each event, for people.
  void SetTrace(std::function<void(const std::string&)> trace) { trace_ = std::move(trace); }

  void Fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }
  const std::string& failure() const { return failure_; }
  uint64_t placed() const { return placed_; }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t refused() const { return refused_.size(); }

 private:
  bool join_refused_ = false;
  struct Place {
    Position position;
    absl::Time at;
    int count = 0;  // of places
    bool acknowledged = false;
    bool may_come_again = false;
    bool may_be_doubled = false;
  };

  std::map<std::pair<std::string, Epoch>, std::vector<Message>> messages_;
  // By group and text, the last.
  absl::flat_hash_map<std::pair<std::string, std::string>, Place> places_;
  absl::flat_hash_map<std::pair<Epoch, Fingerprint>, absl::Time> keys_;  // their last messages
  absl::flat_hash_map<std::pair<Epoch, uint64_t>, std::string> by_offset_;
  std::vector<std::pair<std::string, std::string>> refused_;  // group and text
  std::map<uint64_t, std::string> sessions_;                  // of all connections that ever were
  std::function<void(const std::string&)> trace_;
  absl::Duration key_window_ = absl::Minutes(2);
  absl::Time undisturbed_since_ = absl::InfinitePast();
  bool may_lose_ = false;
  std::string failure_;
  uint64_t placed_ = 0;
  uint64_t acknowledged_ = 0;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_TRUTH_H_
