#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_HISTORY_READ_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_HISTORY_READ_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/channel/nats/stream_api.h"
#include "services/channel/position.h"

namespace groupcast::service {

// One reading of a group's messages after a position, request by request:
//   1. the stream's state, with the number of the group's messages
//   2. the group's last message: the head
//   3. its messages from the position on, one after the other
// The stream's leader answers all of them, so each answer is at least as new as the one before.
//
// Where history begins. The stream drops the oldest messages of a group over its bound, and of all
// groups by age. It keeps one message more than it promises. While a group has that many, its
// oldest message only shows the floor. Otherwise only age has dropped messages, and all of these
// are before the stream's first one.
//
// Logic only: the owner sends next_request() and gives the answers.
class HistoryRead {
 public:
  struct Bounds {
    int64_t messages_per_group_max = 0;  // as StreamOptions
    size_t answer_bytes_max = 256 * 1024;
  };
  struct Entry {
    uint64_t offset = 0;
    uint64_t previous = 0;
    std::string body;
  };

  // `after` and `newest` as in Channel::FetchHistory. `stream` is the stream's name.
  HistoryRead(const Bounds& bounds, const std::string& stream, absl::string_view group_id,
              const Position& after, uint32_t newest, Epoch epoch);

  struct Request {
    std::string subject;  // of JetStream's API
    std::string body;
  };
  Request next_request() const;
  // kUnavailable and others: the reading has failed. Then and when it is done, no answer follows.
  absl::Status OnAnswer(absl::string_view json);
  bool is_done() const { return step_ == Step::kDone; }

  // Once it is done.
  const Position& head() const { return head_; }
  uint64_t floor() const { return floor_; }
  const std::deque<Entry>& entries() const { return entries_; }

 private:
  enum class Step : uint8_t { kState, kHead, kFloor, kMessages, kDone };

  absl::Status OnState(absl::string_view json);
  absl::Status OnHead(absl::string_view json);
  absl::Status OnMessage(absl::string_view json);
  void BeginMessages();

  const Bounds bounds_;
  const std::string stream_;
  const std::string subject_;
  const uint32_t newest_;
  Step step_ = Step::kState;
  uint64_t after_;
  Position head_;
  uint64_t last_sequence_ = 0;  // of the stream
  uint64_t floor_ = 0;
  bool has_marker_ = false;  // the oldest message only shows the floor
  uint64_t read_up_to_ = 0;
  size_t bytes_ = 0;
  std::deque<Entry> entries_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_HISTORY_READ_H_
