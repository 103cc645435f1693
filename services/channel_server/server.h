#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_H_

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel/zmq/curve.h"
#include "services/channel/zmq/sockets.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/data_directory.h"
#include "services/channel_server/descriptor_reserve.h"
#include "services/channel_server/server_metrics.h"
#include "services/channel_server/zap_server.h"
#include "services/common/clock.h"
#include "services/common/logging.h"
#include "services/common/posix.h"
#include "services/metrics/duration_histogram.h"
#include "zmq.hpp"

namespace groupcast::service {

struct ServerOptions {
  // Port 0 for the publish link takes three consecutive free ports. If the directory of the Unix
  // sockets does not exist, the server creates it for its user only.
  ChannelAddress address;

  // The bound of the queue to one subscriber, in frames. It does not count bytes. A worker that
  // does not read can cost this number times the size of the messages. All such workers together
  // cost this only once, because they share frames.
  //
  // When a queue is full, the server reads no publications until half of it has drained. So the
  // slowest subscriber sets the pace. If a subscriber takes longer than `subscriber_patience` for
  // that, the server stops waiting for it. For the next 10 s the server drops the frames over a
  // queue's bound, and the subscriber repairs them later.
  int subscriber_queue_frames_max = 4'000;
  absl::Duration subscriber_patience = absl::Seconds(1);

  // The keys of the server, and of the workers that may connect, through ports and Unix sockets.
  // Null: the links are not encrypted, and everybody may connect.
  std::optional<CurveServerKeys> curve;

  // The number of ZeroMQ's threads that read and write sockets.
  int io_threads = 1;

  // The directory of the log. Empty: there is no log, and a restart begins a new epoch.
  std::string data_dir;
  GroupLogOptions log;

  // Begins a new epoch even if the log is complete, because the log may be an old copy.
  bool begin_new_epoch = false;

  BrokerOptions broker;
};

// The sockets around the broker, and the loop that serves them. One thread: it runs in the thread
// that calls Run.
class Server final : private BrokerSink {
 public:
  // Binds, and reads the log if there is one.
  // kAlreadyExists: a port or the directory of the Unix sockets is in use. The message names it.
  // Other errors name the problem with the log's directory, and the remedy.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const ServerOptions& options);

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The ports in use.
  const ChannelAddress& address() const { return address_; }

  // Serves until a signal of `signals` other than SIGHUP, and returns the signal. The caller must
  // have blocked these signals. It calls `on_turn` with the monotonic time in every turn,
  // `on_hangup` at SIGHUP, and `on_stop` before it closes the log at its end. Null: no call.
  absl::StatusOr<int> Run(const sigset_t& signals,
                          const std::function<void(absl::Time)>& on_turn = nullptr,
                          const std::function<void()>& on_hangup = nullptr,
                          const std::function<void()>& on_stop = nullptr);

  const Broker& broker() const { return broker_; }
  // Costs about a microsecond. Only for the thread of Run.
  ServerNumbers numbers() const;
  // The report about the log at the start.
  const RecoveryReport& recovered() const { return recovered_; }

 private:
  explicit Server(const ServerOptions& options);

  absl::Status OpenLog(const ServerOptions& options);
  absl::Status CloseLog();
  absl::Status Bind(const ServerOptions& options);
  absl::Status BindPorts(const ChannelAddress& wanted);
  absl::Status BindUnixSockets(const std::string& directory);
  absl::Status BindAt(const ChannelEndpoints& endpoints);

  bool HasInput();
  // The next turn begins at once.
  bool has_more() const;
  void Turn();
  void CheckPatience();
  void SetRetryTimer(bool on);
  void NoteFailedWrite(const absl::Status& status);
  void NoteNewEpoch();
  void ReadControl();
  void ReadSubscriptions();
  void ReadPublications();
  void NoteBadInput(absl::string_view link, const absl::Status& status);

  absl::Status WriteLog(std::string* record) override;
  bool HandOut(size_t index) override;
  bool Announce(absl::string_view frame) override;
  bool SendToSubscribers(zmq::message_t* frame, absl::Time* blocked_since);
  void SetDropping(bool dropping);
  Sent SendControl(PublisherId to, absl::string_view frame) override;

  ChannelAddress address_;
  const absl::Duration subscriber_patience_;
  const size_t retained_bytes_max_;
  Fd socket_dir_;  // locked: a second server would take the sockets away from this one
  MonotonicClock clock_;
  CalendarClock calendar_;
  Broker broker_;
  std::unique_ptr<DataDirectory> data_;  // null: there is no log
  RecoveryReport recovered_;
  LogLimit bad_input_limit_;
  LogLimit failed_write_limit_;
  LogLimit epoch_limit_;
  // Until this time the server drops frames over a subscriber's queue. InfinitePast: publishers
  // wait.
  absl::Time dropping_until_ = absl::InfinitePast();
  // The time since which the next message, or each announcement, finds no room. InfiniteFuture:
  // there is room.
  absl::Time message_blocked_since_ = absl::InfiniteFuture();
  absl::Time announcement_blocked_since_ = absl::InfiniteFuture();
  // Ready when the server should try subscribers without room again.
  Fd retry_timer_;
  bool retry_timer_is_on_ = false;
  zmq::context_t context_;
  zmq::socket_t publish_;    // XSUB
  zmq::socket_t subscribe_;  // XPUB
  zmq::socket_t control_;    // ROUTER
  DescriptorReserve reserve_;
  DurationHistogram turns_{kWorkBoundsUs};
  DurationHistogram log_writes_{kWorkBoundsUs};
  uint64_t publication_bytes_ = 0;
  uint64_t subscriber_waits_ = 0;
  uint64_t subscriber_timeouts_ = 0;
  uint64_t droppable_frames_ = 0;   // sent while it drops
  std::unique_ptr<ZapServer> zap_;  // null: without CURVE. It ends before the sockets

  // The messages that this turn hands out. They stay while the broker is handing_out().
  std::vector<zmq::message_t> accepted_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_H_
