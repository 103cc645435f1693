#ifndef GROUPCAST_SERVICES_GROUPS_HISTORY_FETCHER_H_
#define GROUPCAST_SERVICES_GROUPS_HISTORY_FETCHER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/groups/encoded_message.h"

namespace groupcast::service {

// An answer to a fetch. All callers of this fetch share its messages and their blocks. It is valid
// during the callbacks; a message that stays longer must be kept (EncodedMessage::Keep).
struct HistoryPage {
  Position head;
  uint64_t floor = 0;
  std::vector<EncodedMessage> messages;

  // The page has all messages after this offset, up to its last one.
  uint64_t begin() const;
};

// Fetches history for recoveries. Callers that ask for the same page while its fetch is under way
// share the answer. At most kFetchesMax fetches are under way. The others wait in a queue.
//
// The number of recoveries bounds the queue: each has one fetch at a time.
class HistoryFetcher {
 public:
  // The callback may change the page only by building blocks.
  using Callback = std::function<void(absl::StatusOr<HistoryPage>&)>;

  static constexpr size_t kFetchesMax = 16;

  // `channel` must outlive the fetches that are under way.
  void SetChannel(Channel* channel) { channel_ = channel; }

  // Like Channel::FetchHistory: it calls the callback once, later.
  void Fetch(absl::string_view group_id, const Position& after, uint32_t newest, Callback done);

 private:
  // Group id, position, newest.
  using Key = std::tuple<std::string, Epoch, uint64_t, uint32_t>;

  void StartNext();
  void Finish(const Key& key, const absl::StatusOr<History>& history);

  Channel* channel_ = nullptr;
  absl::flat_hash_map<Key, std::vector<Callback>> fetches_;
  std::deque<Key> waiting_;
  size_t under_way_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_HISTORY_FETCHER_H_
