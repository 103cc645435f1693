#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_STREAM_API_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_STREAM_API_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace groupcast::service {

// The JSON of JetStream's API, as far as the engine uses it: requests to text, and answers from
// text. It does no IO.

// A stream of groups. Its messages have the subjects NAME.g.TOKEN, and their live copies
// NAME.live.TOKEN.
struct StreamOptions {
  std::string name = "groupcast";  // letters, digits, "-" and "_"
  int replicas = 1;                // 1, 3 or 5
  bool in_memory = false;          // otherwise in files
  // Of one group. One message more is kept: it shows where the kept ones begin.
  int64_t messages_per_group_max = 1'000;
  absl::Duration age_max = absl::Hours(24);
  int64_t bytes_max = -1;  // of all groups; -1: no bound but the server's
  // The time for which the keys of publications are known.
  absl::Duration keys = absl::Minutes(2);
  // Asks the servers for ones with this tag. Empty: any.
  std::string placement_tag;
};

// The body of a request that makes the stream. If it is there with the same options, it stays.
std::string StreamConfiguration(const StreamOptions& options);

struct StreamInfo {
  // When the stream was made, as the server writes it. With the name, it is the stream's identity.
  std::string created;
  uint64_t first_sequence = 0;  // of the oldest message; above the last one if there is none
  uint64_t last_sequence = 0;
  // Of the subjects that StreamStateRequest asks for.
  int64_t messages_of_subjects = 0;
};

// The body of a request for a stream's state, with the number of messages of `subject`.
std::string StreamStateRequest(absl::string_view subject);

// The answer to a request that makes a stream, or asks for one.
// kFailedPrecondition: a stream of this name has other options, or the server has no JetStream that
// can do this. A retry does not help. kNotFound: there is no such stream. kUnavailable: not now.
// kInvalidArgument: this is no answer of JetStream's.
absl::StatusOr<StreamInfo> ReadStreamInfo(absl::string_view json);

struct PublishAnswer {
  uint64_t sequence = 0;
  bool is_repeat = false;  // its key has counted before, with this sequence
};

// The answer to a publication.
// kUnavailable: the stream did not take it, and may take it later. kFailedPrecondition: the subject
// belongs to another stream. kResourceExhausted: it is too large. kInvalidArgument as above.
absl::StatusOr<PublishAnswer> ReadPublishAnswer(absl::string_view json);

struct StoredMessage {
  std::string subject;
  uint64_t sequence = 0;
  std::string data;
};

// Requests for one message: the first one of a subject from a sequence on, or its last one.
std::string FirstMessageRequest(absl::string_view subject, uint64_t from_sequence);
std::string LastMessageRequest(absl::string_view subject);

// The answer to them. kNotFound: there is no such message. Otherwise as ReadStreamInfo.
absl::StatusOr<StoredMessage> ReadStoredMessage(absl::string_view json);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_STREAM_API_H_
