#ifndef GROUPCAST_TESTS_SUPPORT_HTTP_CLIENT_H_
#define GROUPCAST_TESTS_SUPPORT_HTTP_CLIENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/raw_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> fields;  // by their names in lower case
  std::string body;

  // Empty: it is not there.
  std::string Field(const std::string& name) const;
};

// A client of HTTP/1.1 with one connection to 127.0.0.1, which stays open between requests. Its
// methods throw Failure if an answer does not come in time, or is malformed.
class HttpClient {
 public:
  // Each is "Name: value".
  using Fields = std::vector<std::string>;

  // Throws Failure if nothing listens on the port. `patience` is the time that it waits for more
  // bytes of an answer.
  explicit HttpClient(uint16_t port, absl::Duration patience = kPatience)
      : raw_(port, 0, "127.0.0.1", RawClient::Transport::kPlain), patience_(patience) {}

  HttpReply Get(absl::string_view target, const Fields& fields = {});
  // With the Content-Type application/json, if the fields have no other.
  HttpReply Post(absl::string_view target, absl::string_view body, const Fields& fields = {});
  HttpReply Send(absl::string_view method, absl::string_view target, const Fields& fields = {},
                 absl::string_view body = {});

  // The parts of Send, for requests that are none.
  void Write(absl::string_view bytes) { raw_.Write(bytes); }
  HttpReply Read(bool has_body = true);
  // The head of an answer whose body ends with the connection.
  HttpReply ReadHead();

  RawClient& raw() { return raw_; }

 private:
  RawClient raw_;
  const absl::Duration patience_;
};

// The answer to a request for a stream is another one.
class StreamRefused : public Failure {
 public:
  StreamRefused(int status, absl::string_view sentence) : Failure(sentence), status(status) {}

  const int status;
};

// One event of a stream of Server-Sent Events.
struct StreamEvent {
  std::string name = "message";
  std::string id;  // the last one that the stream has told, as in browsers
  std::string data;
};

// A stream of events. Its methods throw Failure as those of HttpClient.
class EventStream {
 public:
  // Throws StreamRefused if the answer is not a stream.
  EventStream(uint16_t port, absl::string_view target, const HttpClient::Fields& fields = {},
              absl::Duration patience = kPatience);

  // The next event. `joined` events count too. Comments and `retry` do not.
  StreamEvent Next();
  // nullopt: none has come in this time, and the stream goes on.
  std::optional<StreamEvent> NextWithin(absl::Duration patience);
  // Waits until the service has ended the stream, after all events.
  void WaitForEnd();
  // When the last bytes came. Comments count.
  absl::Time heard_at() const { return heard_at_; }
  HttpClient& client() { return client_; }

 private:
  // nullopt: no whole event is there.
  std::optional<StreamEvent> TakeEvent();

  HttpClient client_;
  std::string id_;
  absl::Time heard_at_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_HTTP_CLIENT_H_
