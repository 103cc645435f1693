// Gives the same bytes to the frame decoder and to Beast's WebSocket stream: both must see the same
// messages and control frames, and end in the same way.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/beast/_experimental/test/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cuchar>
#include <string>
#include <utility>
#include <vector>

#include "services/websocket_service/wire/frame_codec.h"

namespace groupcast::service {
namespace {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

constexpr size_t kMessageBytesMax = 1'000;

struct Seen {
  std::vector<std::string> events;  // "text …", "ping …", "pong …"
  // How it ended: 0, more was expected; a close code and whether it came from the peer.
  int close_code = 0;
  bool by_peer = false;
  bool bad_close_payload =
      false;  // Beast has one error for a bad code and for a reason that is not UTF-8
};

Seen WithDecoder(std::string bytes, size_t piece) {
  Seen seen;
  FrameDecoder decoder;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    absl::Span<char> input(&bytes[at], std::min(piece, bytes.size() - at));
    for (;;) {
      const FrameDecoder::Event event = decoder.Next(&input, kMessageBytesMax);
      if (event == FrameDecoder::Event::kNeedMore) break;
      const std::string payload(decoder.payload());
      switch (event) {
        case FrameDecoder::Event::kText:
          seen.events.push_back("text " + payload);
          continue;
        case FrameDecoder::Event::kPing:
          seen.events.push_back("ping " + payload);
          continue;
        case FrameDecoder::Event::kPong:
          seen.events.push_back("pong " + payload);
          continue;
        default:
          seen.close_code = static_cast<int>(decoder.close_code());
          seen.by_peer = event == FrameDecoder::Event::kClose;
          return seen;
      }
    }
  }
  return seen;
}

int CloseCodeOf(beast::error_code error) {
  if (error == websocket::error::bad_frame_payload) return 1007;
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow)
    return 1009;
  return 1002;
}

Seen WithBeast(const std::string& bytes) {
  static constexpr char kHandshake[] =
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  boost::asio::io_context io;
  beast::test::stream peer(io);
  websocket::stream<beast::test::stream> stream(io);
  stream.next_layer().connect(peer);
  stream.next_layer().append(kHandshake);
  stream.accept();
  stream.next_layer().append(bytes);
  peer.close();  // after these bytes, the end of the stream
  stream.read_message_max(kMessageBytesMax);
  Seen seen;
  stream.control_callback([&](websocket::frame_type type, beast::string_view payload) {
    if (type == websocket::frame_type::ping) seen.events.push_back("ping " + std::string(payload));
    if (type == websocket::frame_type::pong) seen.events.push_back("pong " + std::string(payload));
  });
  for (;;) {
    beast::flat_buffer buffer;
    beast::error_code error;
    stream.read(buffer, error);
    if (!error) {
      if (stream.got_binary()) {
        return seen;  // the decoder stops there
      }
      seen.events.push_back("text " + beast::buffers_to_string(buffer.data()));
      continue;
    }
    if (error == websocket::error::closed) {
      seen.by_peer = true;
      seen.close_code =
          stream.reason().code == websocket::close_code::none ? 1005 : stream.reason().code;
    } else if (error.category() ==
                   websocket::make_error_code(websocket::error::closed).category() ||
               error == websocket::condition::protocol_violation) {
      seen.close_code = CloseCodeOf(error);
      seen.bad_close_payload = error == websocket::error::bad_close_payload;
    }
    return seen;  // anything else is the end of the stream
  }
}

[[noreturn]] void Differ(const char* what, const Seen& ours, const Seen& theirs) {
  std::fprintf(stderr, "%s\n", what);
  for (const auto& [name, seen] :
       {std::pair<const char*, const Seen&>{"decoder", ours}, {"beast", theirs}}) {
    std::fprintf(stderr, "%s: %zu events, close code %d%s\n", name, seen.events.size(),
                 seen.close_code, seen.by_peer ? " by the peer" : "");
    for (const std::string& event : seen.events) std::fprintf(stderr, "  %s\n", event.c_str());
  }
  std::abort();
}

// The C library's opinion, for where the two differ: Beast 1.81 takes some messages that end inside
// of a character.
bool IsUtf8(const std::string& text) {
  static const bool have_locale = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
  if (!have_locale) std::abort();
  std::mbstate_t state{};
  for (size_t at = 0; at < text.size();) {
    char32_t point;
    const size_t used = std::mbrtoc32(&point, text.data() + at, text.size() - at, &state);
    if (used > text.size()) return false;  // wrong, or unfinished
    at += std::max<size_t>(used, 1);       // 0 is for NUL
  }
  return true;
}

void Compare(const std::string& bytes, size_t piece) {
  const Seen ours = WithDecoder(bytes, piece);
  const Seen theirs = WithBeast(bytes);
  const size_t common = std::min(ours.events.size(), theirs.events.size());
  if (!std::equal(ours.events.begin(), ours.events.begin() + common, theirs.events.begin())) {
    Differ("different events", ours, theirs);
  }
  // Binary messages are refused here, at their header.
  if (ours.close_code == 1003 && !ours.by_peer) {
    if (theirs.events.size() < ours.events.size())
      Differ("events before a binary message", ours, theirs);
    return;
  }
  if (ours.close_code == 1007 && theirs.events.size() > common &&
      !IsUtf8(theirs.events[common].substr(5)))
    return;
  if (ours.events.size() != theirs.events.size())
    Differ("different numbers of events", ours, theirs);
  // 1014 was registered after Beast's list was written.
  if (ours.by_peer && ours.close_code == 1014) return;
  // The decoder sees what is wrong at the earliest byte, Beast sometimes only with the whole
  // header.
  if (theirs.close_code == 0 && ours.close_code != 0 && !ours.by_peer) return;
  if (theirs.bad_close_payload && ours.close_code == 1007) return;
  // Section 7.4.2 has nothing above 4999; Beast lets it through.
  if (theirs.by_peer && theirs.close_code >= 5000 && ours.close_code == 1002) return;
  // A length with its top bit set breaks section 5.2; to Beast it is just large.
  if (!theirs.by_peer && theirs.close_code == 1009 && ours.close_code == 1002) return;
  if (ours.by_peer != theirs.by_peer || ours.close_code != theirs.close_code) {
    Differ("different ends", ours, theirs);
  }
}

}  // namespace
}  // namespace groupcast::service

// The first byte says how the rest is cut into pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = data[0] == 0 ? size : data[0];
  groupcast::service::Compare(std::string(reinterpret_cast<const char*>(data + 1), size - 1),
                              piece);
  return 0;
}
