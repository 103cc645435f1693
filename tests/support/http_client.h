#ifndef GROUPCAST_TESTS_SUPPORT_HTTP_CLIENT_H_
#define GROUPCAST_TESTS_SUPPORT_HTTP_CLIENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/support/raw_client.h"

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

  explicit HttpClient(uint16_t port) : raw_(port, 0, "127.0.0.1", RawClient::Transport::kPlain) {}

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
  // Throws Failure if the answer is not a stream.
  EventStream(uint16_t port, absl::string_view target, const HttpClient::Fields& fields = {});

  // The next event. `joined` events count too. Comments and `retry` do not.
  StreamEvent Next();
  // Waits until the service has ended the stream, after all events.
  void WaitForEnd();
  HttpClient& client() { return client_; }

 private:
  HttpClient client_;
  std::string id_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_HTTP_CLIENT_H_
