#include "tests/conformance/case.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/live_server.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

constexpr absl::string_view kLastPing = "the last ping";

std::string Describe(const Frame& frame) {
  return frame.opcode == kClose
             ? absl::StrCat("close ", frame.close_code())
             : absl::StrCat("opcode ", frame.opcode, " \"", Printable(frame.payload), "\"");
}

bool Matches(const Frame& frame, const ExpectedFrame& expected) {
  if (frame.opcode != expected.opcode) return false;
  return expected.is_part ? absl::StrContains(frame.payload, expected.payload)
                          : frame.payload == expected.payload;
}

// All that came until the connection was closed or the last ping was answered; that answer is left
// out.
std::vector<Frame> ReadFrames(RawClient* client, bool* answered_last_ping) {
  std::vector<Frame> frames;
  for (;;) {
    while (std::optional<Frame> frame = TakeFrame(&client->received())) {
      *answered_last_ping = frame->opcode == kPong && frame->payload == kLastPing;
      if (*answered_last_ping) return frames;
      frames.push_back(*std::move(frame));
    }
    if (client->state() != RawClient::State::kOpen) return frames;
    if (!client->ReadMore() && client->state() == RawClient::State::kOpen) return frames;
  }
}

TEST_P(ConformanceTest, Holds) {
  const Case& c = GetParam();
  TestClient client(LiveServer::port());
  std::string sent;
  for (const std::string& bytes : c.writes) {
    sent += bytes;
    // The server may close before it has all.
    if (!client.raw().Write(bytes)) break;
  }
  const bool stays_open = !c.expectation.close_code.has_value();
  if (stays_open) client.raw().Write(MakeFrame(kPing, kLastPing));

  bool answered_last_ping = false;
  const std::vector<Frame> frames = ReadFrames(&client.raw(), &answered_last_ping);
  std::string came;
  for (const Frame& frame : frames) absl::StrAppend(&came, "\n  ", Describe(frame));
  SCOPED_TRACE(absl::StrCat("sent:\n  ", Printable(sent), "\ncame:", came));

  const std::vector<ExpectedFrame>& expected = c.expectation.frames;
  ASSERT_EQ(frames.size(), expected.size() + (stays_open ? 0 : 1));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(Matches(frames[i], expected[i]))
        << "frame " << i << " is not \"" << expected[i].payload << "\"";
  }
  if (stays_open) {
    EXPECT_TRUE(answered_last_ping) << "the connection did not stay open";
    return;
  }
  EXPECT_EQ(frames.back().opcode, kClose);
  EXPECT_EQ(frames.back().close_code(), *c.expectation.close_code);
  // Section 7.1.1: the server closes first, and cleanly.
  EXPECT_EQ(client.raw().state(), RawClient::State::kClosed);
  EXPECT_EQ(client.raw().received(), "") << "something follows the close frame";
}

}  // namespace

Expectation Answers(std::vector<ExpectedFrame> frames) { return {.frames = std::move(frames)}; }

Expectation Closes(int code, std::vector<ExpectedFrame> frames) {
  return {.frames = std::move(frames), .close_code = code};
}

std::string Echo(absl::string_view text) { return Ping(Quoted(text)); }

ExpectedFrame Echoed(absl::string_view text) {
  return {.opcode = kText,
          .payload = absl::StrCat("{\"event\":\"reply\",\"id\":\"", text, "\",\"pong\":true}")};
}

std::string EchoOfSize(absl::string_view text, size_t bytes) {
  std::string command = Echo(text);
  command.resize(bytes, ' ');
  return command;
}

ExpectedFrame PongFrame(absl::string_view payload) {
  return {.opcode = kPong, .payload = std::string(payload)};
}

ExpectedFrame ErrorFrame(absl::string_view code) {
  return {.opcode = kText, .payload = absl::StrCat("\"code\":\"", code, "\""), .is_part = true};
}

std::vector<std::string> OneByOne(absl::string_view bytes) {
  std::vector<std::string> writes;
  for (const char c : bytes) writes.emplace_back(1, c);
  return writes;
}

std::string Fragments(absl::string_view text, const std::vector<size_t>& cuts) {
  std::string bytes;
  size_t from = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const bool last = i == cuts.size();
    const size_t to = last ? text.size() : cuts[i];
    bytes += MakeFrame(i == 0 ? kText : kContinuation, text.substr(from, to - from), {.fin = last});
    from = to;
  }
  return bytes;
}

}  // namespace groupcast::tests
