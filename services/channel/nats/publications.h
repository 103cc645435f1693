#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_PUBLICATIONS_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_PUBLICATIONS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/nats/nats_writer.h"
#include "services/channel/nats/stream_api.h"

namespace groupcast::service {

struct PublicationsOptions {
  std::string stream;
  // The bound of the bytes that all publications without a result use.
  size_t bytes_max = 64u << 20;
  // Those that are sent and have no answer yet. A server may drop what exceeds its own bound.
  size_t in_flight_max = 1'000;
  // The longest time that a publication waits for its answer; well below the stream's time of keys.
  absl::Duration wait_max = absl::Seconds(30);
  // Without an answer for this time, a publication is sent again.
  absl::Duration answer_timeout = absl::Seconds(5);
  // A publication that the stream did not take now is sent again after this time.
  absl::Duration retry_after = absl::Milliseconds(100);
};

// A worker's publications that have no result yet. Each has an id (Nats-Msg-Id), so the stream
// counts it once, however often it is sent: the client's key, or this publisher and a number.
// Results are told in the order of the publications.
//
// Logic only; the caller gives the time. Not thread-safe.
class Publications {
 public:
  // `publisher` is new for each process.
  Publications(PublicationsOptions options, uint64_t publisher, NatsWriter* writer);

  static size_t CostOf(const PublicationsSize& size);
  bool HasRoomFor(size_t cost) const {
    return entries_.empty() || bytes_ + cost <= options_.bytes_max;
  }

  // `body` is the publication's content. It has room.
  void Add(const Publication& publication, std::string body, Channel::PublishCallback done,
           absl::Time now);

  // The stream can be used; answers come to subjects that begin with `inbox`. All publications
  // without a result are sent again.
  void Open(Epoch epoch, const std::string& inbox);
  void Close();

  // The answer to the publication with this number: JSON, or a NATS status without an answer.
  void OnAnswer(uint64_t number, int nats_status, absl::string_view json, absl::Time now);

  // Sends what may be sent, and ends what has waited too long. About every 50 ms, and after Add.
  void Tick(absl::Time now);
  void Send(absl::Time now);

  // The results that are due. The caller calls them outside of this class.
  struct Result {
    Channel::PublishCallback done;
    absl::StatusOr<Position> position;
    std::string group_id;
  };
  std::vector<Result> TakeResults();

  size_t bytes() const { return bytes_; }
  uint64_t resends() const { return resends_; }

 private:
  struct Entry {
    std::string group_id;
    std::string subject;
    std::string id;
    std::string body;
    Channel::PublishCallback done;
    absl::Time deadline;
    absl::Time send_at = absl::InfinitePast();  // if not in flight
    absl::Time sent_at;
    bool was_sent = false;
    bool in_flight = false;  // without an answer, on this connection
    bool in_doubt = false;   // an earlier transmission has no answer
    bool resolved = false;
    absl::StatusOr<Position> result = absl::UnknownError("");

    size_t cost() const;
  };

  Entry* Find(uint64_t number);
  void Resolve(Entry* entry, absl::StatusOr<Position> result);
  // It has no place, or none that is known.
  void GiveUp(Entry* entry, const absl::Status& if_not_taken);

  const PublicationsOptions options_;
  const uint64_t publisher_;
  NatsWriter* const writer_;
  bool is_open_ = false;
  Epoch epoch_{};
  std::string inbox_;
  uint64_t first_number_ = 1;  // of entries_
  std::deque<Entry> entries_;
  size_t next_ = 0;  // no entry before it waits to be sent now
  size_t in_flight_ = 0;
  size_t bytes_ = 0;
  uint64_t resends_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_PUBLICATIONS_H_
