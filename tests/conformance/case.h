#ifndef GROUPCAST_TESTS_CONFORMANCE_CASE_H_
#define GROUPCAST_TESTS_CONFORMANCE_CASE_H_

// One case of the table: the bytes that a client writes after its handshake, and the frames that
// must come back.

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "tests/support/event.h"
#include "tests/support/wire.h"

namespace groupcast::tests {

struct ExpectedFrame {
  uint8_t opcode = 0;
  std::string payload;
  bool is_part = false;  // `payload` need only be a part of the frame
};

// The expected result: these frames in this order. Then either nothing more comes and the
// connection stays good, or the closing handshake follows with `close_code`, and the server closes
// the TCP connection.
struct Expectation {
  std::vector<ExpectedFrame> frames;
  std::optional<int> close_code;
};

struct Case {
  std::string name;                 // in CamelCase
  std::vector<std::string> writes;  // raw bytes, each a write(2) of its own
  Expectation expectation;
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

// The connection stays open.
Expectation Answers(std::vector<ExpectedFrame> frames);
inline Expectation NoAnswer() { return {}; }
// The server closes the connection, after the frames.
Expectation Closes(int code, std::vector<ExpectedFrame> frames = {});

// The cases use the command `ping` to see how far the server has read. Its answer has the command's
// id, unchanged. The text of a case is the id of such a command.
std::string Echo(absl::string_view text);
ExpectedFrame Echoed(absl::string_view text);
// The same command, padded with white space to `bytes` bytes.
std::string EchoOfSize(absl::string_view text, size_t bytes);

ExpectedFrame PongFrame(absl::string_view payload);
// The error event that answers a text that is not a command.
ExpectedFrame ErrorFrame(absl::string_view code);

// Bytes as writes of one byte each.
std::vector<std::string> OneByOne(absl::string_view bytes);

// A text message in fragments that end at `cuts`, in ascending order.
std::string Fragments(absl::string_view text, const std::vector<size_t>& cuts);

// The sections' test suites are instances of this one. A failure names the section and the case,
// and prints the sent and the received bytes.
class ConformanceTest : public ::testing::TestWithParam<Case> {};

// `section` is a part of RFC 6455, such as Section5_1.
#define CONFORMANCE_CASES(section, ...)      \
  INSTANTIATE_TEST_SUITE_P(                  \
      section, ConformanceTest, __VA_ARGS__, \
      [](const ::testing::TestParamInfo<Case>& info) { return info.param.name; })

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_CONFORMANCE_CASE_H_
