#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_NATS_READER_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_NATS_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace groupcast::service {

// A message that a NATS server hands out. The views are valid until the next call of the reader.
struct NatsMessage {
  absl::string_view subject;
  uint64_t subscription = 0;  // the number that the subscription was given
  absl::string_view reply;    // empty: none
  absl::string_view headers;  // "NATS/1.0", its status and its lines; empty: none
  absl::string_view data;
};

// The value of a header. Nullopt: there is none with this name. Names are compared as they are.
std::optional<absl::string_view> NatsHeader(absl::string_view headers, absl::string_view name);
// The status of "NATS/1.0 503 …". 0: there is none.
int NatsStatus(absl::string_view headers);

// Reads what a NATS server sends: lines, and messages with a length (NATS client protocol). The
// caller puts received bytes into Room(), and takes out one event after the other.
//
// Memory: what the server has sent of one unfinished event, at most a line or a message of the
// bound, and one Room.
class NatsReader {
 public:
  // The bound of the headers and the data of one message.
  explicit NatsReader(size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  // Where the next bytes go: kRoomBytes at least. Invalidates all views.
  absl::Span<char> Room();
  // `bytes` of the room are filled.
  void Took(size_t bytes) { end_ += bytes; }

  enum class Event : uint8_t {
    kNeedMore,
    kInfo,     // text(): JSON
    kMessage,  // message()
    kPing,
    kPong,
    kError,   // text(): the server's words, without quotes
    kDefect,  // text(): why this is no NATS server. No event follows
  };
  Event Next();

  const NatsMessage& message() const { return message_; }
  absl::string_view text() const { return text_; }

 private:
  static constexpr size_t kRoomBytes = 64 * 1024;
  // The server's lines are short, but for INFO, which lists all servers of a cluster.
  static constexpr size_t kLineBytesMax = 64 * 1024;

  // Nullopt: the line is no event.
  std::optional<Event> ReadLine(absl::string_view line);
  // The line of a message. The message itself follows.
  Event BeginMessage(absl::string_view arguments, bool has_headers);
  Event Defect(absl::string_view why);
  absl::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }

  size_t message_bytes_max_;
  std::string buffer_;
  size_t begin_ = 0;     // of what was not read yet
  size_t end_ = 0;       // of what has come
  size_t searched_ = 0;  // behind begin_: no line ends before
  bool is_defect_ = false;
  NatsMessage message_;
  absl::string_view text_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_NATS_READER_H_
