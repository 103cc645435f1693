#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_PUBLISHER_LINK_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_PUBLISHER_LINK_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/position.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/window.h"
#include "services/channel/zmq/channel_client_options.h"
#include "services/channel/zmq/channel_links.h"
#include "services/common/clock.h"

namespace groupcast::service {

// A worker as a publisher that the channel server knows. It handles the hello of each connection,
// the epoch of the server, and the numbers of its digests. It also has the window of publications
// without a result.
//
// Connected means: the last hello has its answer, and the server has subscribed on a publish link.
// The worker sends publications only while connected. It sends the window again on each new publish
// link, and if the server did not know the publisher. If results do not come, it asks with another
// hello.
//
// The caller gives it the events and frames of the links. It calls Tick about every 50 ms, and
// GiveAnswers outside of all methods of the channel. Methods that return bool say whether all heads
// must be compared: the worker may have missed messages or heads that the server sent.
//
// Bounds: the window (WindowOptions). Over it, Publish gives kUnavailable.
//
// Logic only: no IO. Not thread-safe. All pointers must outlive it. It calls the listener's
// OnConnectionState, OnRoom and OnMisconfigured.
class PublisherLink {
 public:
  // `on_connected` runs each time the link becomes connected, before OnConnectionState.
  PublisherLink(const ChannelClientOptions& options, const Clock* clock, ChannelLinks* links,
                ChannelListener* listener, std::function<void()> on_connected);
  PublisherLink(const PublisherLink&) = delete;
  PublisherLink& operator=(const PublisherLink&) = delete;

  // See ChannelClient.
  void OnControlUp();
  void OnControlDown();
  void OnPublishLinkUp();
  void OnPublishLinkDown();

  [[nodiscard]] bool OnHelloReply(const channel::v1::HelloReply& reply);
  void OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement);
  // A digest has come. True: an earlier digest is missing, or the epoch is another.
  [[nodiscard]] bool OnDigest(uint64_t number, Epoch epoch);

  // The epoch of the server. True: it was in another one before.
  [[nodiscard]] bool SetEpoch(Epoch epoch);
  // The server has told this position, in any frame. The next hello names the highest one, so that
  // a server with an older copy of its log does not give these offsets again.
  void NoteOffset(const Position& position);

  // GiveAnswers calls `done`. kResourceExhausted: larger than message_bytes_max().
  void Publish(const Publication& publication, Channel::PublishCallback done);
  // See Channel.
  bool HasRoomFor(const PublicationsSize& size);

  void Tick();

  // Calls the callbacks that are due. Returns whether there were any.
  bool GiveAnswers();
  // Calls OnRoom if HasRoomFor has returned false and there is room again. Returns whether it did.
  bool TellRoom();

  bool hello_answered() const { return hello_answered_; }
  bool connected() const { return connected_; }
  // The smaller one of the configured maximum and the server's, which the last hello has told.
  size_t message_bytes_max() const {
    return std::min(options_.max_message_bytes, server_bytes_max_.value_or(SIZE_MAX));
  }
  Epoch epoch() const { return highest_.epoch; }
  size_t window_bytes() const { return window_.bytes(); }
  size_t window_bytes_max() const { return options_.window.bytes_max; }
  // The number of times that the window was sent again.
  uint64_t resends() const { return resends_; }

 private:
  void SendHello();
  void UpdateConnected();
  void FlushWindow();
  void SendWindowAgain();

  const ChannelClientOptions options_;
  const Clock* const clock_;
  ChannelLinks* const links_;
  ChannelListener* const listener_;
  const std::function<void()> on_connected_;

  bool control_up_ = false;
  bool hello_answered_ = false;
  uint64_t hello_attempt_ = 0;
  absl::Time last_hello_ = absl::InfinitePast();
  absl::Time next_hello_ = absl::InfinitePast();  // unless the answer comes before
  int publish_links_ = 0;
  bool connected_ = false;
  bool misconfigured_ = false;
  std::optional<size_t> server_bytes_max_;  // since the first connection

  // The epoch of the server, from its last answer or digest, and the highest offset seen in this
  // epoch.
  Position highest_;

  uint64_t last_digest_ = 0;
  absl::Time last_digest_at_;  // or the time of the answer to the last hello

  Window window_;
  Window::Answers answers_;
  // The number of the next publications that HasRoomFor has promised to take.
  size_t promised_ = 0;
  // The smallest cost for which there was no room since the last OnRoom.
  std::optional<size_t> wanted_room_;
  uint64_t resends_ = 0;
  // The time of the last result. If no publication waited for a result then: the time since which
  // some wait.
  absl::Time last_progress_;
  channel::v1::Content outgoing_;  // kept for its memory
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_PUBLISHER_LINK_H_
