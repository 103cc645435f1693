#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_TRUTH_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_TRUTH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "services/channel/position.h"

namespace groupcast::service::testing {

// What really happened, as somebody sees it who looks at all processes at once: each group's
// messages in their order, in each epoch. The promises are checked against it. A broken promise is
// kept as a sentence; the first one counts.
class Truth {
 public:
  struct Message {
    uint64_t offset;
    uint64_t previous;
    std::string text;
  };

  // The server has given a message its place, and cannot take it back: it is in the log, or there
  // is none.
  void OnPlaced(absl::string_view group_id, const Position& position, uint64_t previous,
                absl::string_view text);

  // Who published `text` was told that it has this place.
  void OnAcknowledged(absl::string_view group_id, const Position& position, absl::string_view text);
  // `text` is published more than once, with a key that a new epoch may not know.
  void MayComeAgain(absl::string_view text) { places_[text].may_come_again = true; }
  // `text` has no key, and the server may forget who published it before it tells the place.
  void MayBeDoubled(absl::string_view text) { places_[text].may_be_doubled = true; }
  // Who published `text` was told that it was not done.
  void OnRefused(absl::string_view text) { refused_.push_back(std::string(text)); }

  // The next message of the group after `offset` in that epoch; null: there is none.
  const Message* Next(absl::string_view group_id, Epoch epoch, uint64_t offset) const;
  // The message at that place; null: there is none.
  const Message* At(absl::string_view group_id, const Position& position) const;

  // How many there are after it.
  size_t CountAfter(absl::string_view group_id, const Position& position) const;

  // Whether the message with this text has a place, in any epoch.
  bool IsPlaced(absl::string_view text) const {
    const auto found = places_.find(text);
    return found != places_.end() && found->second.position.offset != 0;
  }

  // Whether it has more than one place. Who sees only the text cannot tell which it is.
  bool HasComeAgain(absl::string_view text) const {
    const auto found = places_.find(text);
    return found != places_.end() && found->second.count > 1;
  }

  // The last place of the message with this text; offset 0: it has none.
  Position PlaceOf(absl::string_view text) const {
    const auto found = places_.find(text);
    return found == places_.end() ? Position{} : found->second.position;
  }

  // From now on members may be told of losses: something happened that may bring them.
  void AllowLosses() { may_lose_ = true; }
  bool may_lose() const { return may_lose_; }

  // At the end: what was told as refused has no place.
  void CheckRefused();

  // Is told of what happens, for people.
  void SetTrace(std::function<void(const std::string&)> trace) { trace_ = std::move(trace); }

  void Fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }
  const std::string& failure() const { return failure_; }
  uint64_t placed() const { return placed_; }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t refused() const { return refused_.size(); }

 private:
  struct Place {
    Position position;
    int count = 0;  // of places
    bool acknowledged = false;
    bool may_come_again = false;
    bool may_be_doubled = false;
  };

  std::map<std::pair<std::string, Epoch>, std::vector<Message>> messages_;
  absl::flat_hash_map<std::string, Place> places_;  // by text, the last
  absl::flat_hash_map<std::pair<Epoch, uint64_t>, std::string> by_offset_;
  std::vector<std::string> refused_;
  std::function<void(const std::string&)> trace_;
  bool may_lose_ = false;
  std::string failure_;
  uint64_t placed_ = 0;
  uint64_t acknowledged_ = 0;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_TRUTH_H_
