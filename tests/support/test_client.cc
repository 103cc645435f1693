#include "tests/support/test_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace groupcast::tests {
namespace {

absl::string_view StateText(RawClient::State state) {
  return state == RawClient::State::kOpen     ? "it is open"
         : state == RawClient::State::kClosed ? "the server has closed it"
                                              : "it was reset";
}

}  // namespace

TestClient::TestClient(uint16_t port, Mode mode, int receive_buffer_bytes)
    : raw_(port, receive_buffer_bytes) {
  raw_.Write(HandshakeRequest(mode == Mode::kV1 ? kV1 : ""));
  FinishHandshake(mode);
}

TestClient::TestClient(RawClient raw, Mode mode) : raw_(std::move(raw)) { FinishHandshake(mode); }

void TestClient::FinishHandshake(Mode mode) {
  std::optional<HttpResponse> response;
  while (!(response = TakeResponse(&raw_.received())).has_value()) {
    if (!raw_.ReadMore() || raw_.state() != RawClient::State::kOpen) {
      throw Failure(absl::StrCat("no answer to the handshake; ", StateText(raw_.state())));
    }
  }
  if (response->status != 101 ||
      response->Header("sec-websocket-accept") != AcceptFor(kSampleKey)) {
    throw Failure(absl::StrCat("the handshake was answered with ", response->status));
  }
  const absl::string_view subprotocol = mode == Mode::kV1 ? kV1 : "";
  if (response->Header("sec-websocket-protocol") != subprotocol)
    throw Failure("not the subprotocol asked for");
  if (mode != Mode::kV1) return;
  welcome_ = NextEvent();
  if (welcome_->name() != "welcome")
    throw Failure(absl::StrCat("no welcome but ", welcome_->text()));
}

void TestClient::Send(absl::string_view text) { raw_.Write(TextFrame(text)); }

std::optional<Frame> TestClient::NextFrameWithin(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  for (;;) {
    if (std::optional<Frame> frame = TakeFrame(&raw_.received()); frame.has_value()) return frame;
    if (raw_.state() != RawClient::State::kOpen || !raw_.ReadMore(deadline - absl::Now()))
      return std::nullopt;
  }
}

Frame TestClient::NextFrame(absl::Duration patience) {
  std::optional<Frame> frame = NextFrameWithin(patience);
  if (!frame.has_value())
    throw Failure(absl::StrCat("no frame on a connection; ", StateText(raw_.state())));
  return *std::move(frame);
}

std::optional<std::string> TestClient::NextTextWithin(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  for (;;) {
    std::optional<Frame> frame = NextFrameWithin(deadline - absl::Now());
    if (!frame.has_value()) return std::nullopt;
    if (frame->opcode == kText) return std::move(frame->payload);
    if (frame->opcode == kClose) {
      throw Failure(absl::StrCat("closed with ", frame->close_code(), " where a text was to come"));
    }
    if (frame->opcode == kPing) raw_.Write(MakeFrame(kPong, frame->payload));
  }
}

std::string TestClient::NextText(absl::Duration patience) {
  std::optional<std::string> text = NextTextWithin(patience);
  if (!text.has_value())
    throw Failure(absl::StrCat("no text on a connection; ", StateText(raw_.state())));
  return *std::move(text);
}

TestClient::End TestClient::WaitForEnd(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  End end;
  while (end.close_code == 0) {
    const std::optional<Frame> frame = NextFrameWithin(deadline - absl::Now());
    if (!frame.has_value()) break;
    if (frame->opcode == kText) end.texts.push_back(frame->payload);
    if (frame->opcode == kPing) raw_.Write(MakeFrame(kPong, frame->payload));
    if (frame->opcode == kClose) {
      end.close_code = frame->close_code();
      end.reason = frame->payload.substr(end.close_code == kNoCloseCode ? 0 : 2);
      raw_.Write(MakeFrame(kClose, absl::string_view(frame->payload).substr(0, 2)));
    }
  }
  raw_.ReadToEnd(deadline - absl::Now());
  end.state = raw_.state();
  raw_.Close();
  return end;
}

Event TestClient::Join(absl::string_view group) {
  Send(AddGroup(Quoted(group), "\"join\""));
  return TakeJoinReply(group);
}

Event TestClient::JoinSince(absl::string_view group, absl::string_view epoch, int64_t offset) {
  Send(AddGroupSince(Quoted(group), epoch, offset, "\"join\""));
  return TakeJoinReply(group);
}

Event TestClient::TakeJoinReply(absl::string_view group) {
  Event reply = NextEvent();
  if (reply.name() != "reply" || reply.Text("id") != "join" || reply.Text("group_id") != group) {
    throw Failure(absl::StrCat("not the reply to add_group: ", reply.text()));
  }
  return reply;
}

bool TestClient::IsQuiet() {
  Send(Ping("\"quiet\""));
  return NextText() == "{\"event\":\"reply\",\"id\":\"quiet\",\"pong\":true}";
}

}  // namespace groupcast::tests
