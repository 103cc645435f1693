#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_CLIENT_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "groupcast/session.h"
#include "services/channel/testing/event_queue.h"
#include "services/channel/testing/simulated_worker.h"
#include "services/channel/testing/truth.h"
#include "services/channel_server/broker/retention.h"
#include "services/groups/group_service.h"
#include "services/groups/member.h"
#include "services/websocket_service/wire/encodings.h"

namespace groupcast::service::testing {

struct ConnectionPlan {
  absl::Duration delay_max = absl::Milliseconds(5);
  size_t outbox_bytes_max = 1u << 20;
  // The highest number of frames on their way to a client at the same time. More frames wait for a
  // slow client.
  size_t frames_under_way_max = 1'000;
};

// A worker with its services for clients, without sockets: the process at the end of the
// connections.
class SimulatedHost;

// One connection, from the worker's side. Frames and commands pass in order until it is cut.
class SimulatedConnection final : public Member {
 public:
  SimulatedConnection(ConnectionId id, bool v1, SimulatedHost* host)
      : Member(id, v1 ? static_cast<const Encoding*>(&kV1Encoding) : &kBareEncoding), host_(host) {}

  void Send(const SharedBytes& frame, TrafficClass) override;
  bool HasRoomFor(size_t frame_bytes) const override;
  void Disconnect(CloseCode code, absl::string_view reason) override;
  void ResumeCommands() override;

  // The client sets them. Null: the client does not listen any more.
  std::function<void(const std::string& text)> on_text;
  std::function<void()> on_cut;
  bool cut = false;

 private:
  friend class SimulatedHost;
  // The worker closes it at the turn's end.
  void CutLater(bool slow);

  SimulatedHost* const host_;
  std::deque<std::string> input_;
  bool held_ = false;
  std::deque<SharedBytes> outbox_;
  size_t outbox_bytes_ = 0;
  size_t under_way_ = 0;
  absl::Time last_to_client_;
  absl::Time last_to_host_;
};

class SimulatedHost {
 public:
  SimulatedHost(const WorkerPlan& plan, const ConnectionPlan& connections,
                const GroupServiceOptions& options, EventQueue* events, Random* random,
                Network* network, Truth* truth);
  ~SimulatedHost();

  SimulatedWorker* worker() { return &worker_; }
  const GroupService& service() const { return service_; }
  // The number of connections that were closed because their outbox was full.
  uint64_t slow_consumers() const { return slow_consumers_; }

  std::shared_ptr<SimulatedConnection> Connect(bool v1, const std::string& session);
  // Puts a text from the client on its way to the worker.
  void FromClient(const std::shared_ptr<SimulatedConnection>& connection, std::string text);
  // Breaks the connection. Each side learns of it a little later.
  void Cut(const std::shared_ptr<SimulatedConnection>& connection);
  // The client is gone at once, and the worker learns of it after this time. The client must not
  // listen any more.
  void CutHalfOpen(const std::shared_ptr<SimulatedConnection>& connection, absl::Duration after);

 private:
  friend class SimulatedConnection;
  void Serve();
  void Flush(const std::shared_ptr<SimulatedConnection>& connection);
  absl::Duration Delay() { return random_->Between(absl::ZeroDuration(), plan_.delay_max); }

  const ConnectionPlan plan_;
  EventQueue* const events_;
  Random* const random_;
  Truth* const truth_;
  const bool has_tokens_;
  GroupService service_;
  SimulatedWorker worker_;
  std::vector<std::shared_ptr<SimulatedConnection>> connections_;
  uint64_t slow_consumers_ = 0;
  std::shared_ptr<SimulatedHost*> self_;
};

// An application with the client SDK, which reconnects by itself. It checks each event of the SDK
// against the truth.
class SimulatedClient {
 public:
  struct Options {
    std::string session;
    std::string key_prefix;
    SessionLimits limits;
    // One answer of the server has room for all history that a join asks for.
    bool histories_fit = false;
    // The server may forget keys: a send may come again in a new epoch.
    bool may_come_again = false;
    // The bounds of the server's history.
    RetentionOptions history;
    // The server drops no message of a history before its time, for want of bytes.
    bool keeps_history = true;
    // The time that a message may wait at the server before its age counts.
    absl::Duration age_slack = absl::ZeroDuration();
  };
  // `find_host` returns a worker to connect to, or null.
  SimulatedClient(const Options& options, EventQueue* events, Random* random, Truth* truth,
                  std::function<SimulatedHost*()> find_host, uint64_t* delivered);
  ~SimulatedClient();

  void Join(const std::string& group);
  void Leave(const std::string& group);
  void Send(const std::string& group, const std::string& text, bool exclude_self);
  void ReadHistory(const std::string& group);
  // Breaks the connection.
  void Cut();
  // Breaks the connection. The worker learns of it after this time.
  void CutHalfOpen(absl::Duration after);

  // Empty, or the reason why the client is not at rest yet.
  std::string WhyNotAtRest(Epoch epoch) const;

  // Texts that this session does not get. The other clients of the session share the set.
  std::shared_ptr<std::set<std::string>> excluded = std::make_shared<std::set<std::string>>();

 private:
  struct Membership {
    bool joined = false;
    groupcast::Position position;
    // The `history` of its first join.
    uint32_t history = 0;
    // The old position of a join that did not recover. The gap that reports the loss follows.
    std::optional<groupcast::Position> lost_from;
  };

  void Connect();
  void OnText(const std::string& text);
  void OnDisconnected();
  void Pump();
  void Tick();

  void OnJoined(const std::string& group, const absl::StatusOr<Joined>& joined, uint64_t join);
  void OnMessage(const std::string& group, const groupcast::Message& message, uint64_t join);
  void OnGap(const std::string& group, const groupcast::Gap& gap, uint64_t join);
  // Empty, or the reason why a `member` cannot be at `position` now without an event.
  std::string WhyNotAt(const std::string& group, const groupcast::Position& member,
                       const groupcast::Position& position) const;
  // Checks that the join began with the requested number of the newest messages.
  void CheckHistory(const std::string& group, const Membership& membership);
  // Checks the answer to a read of the newest messages.
  void CheckHistoryBounds(const std::string& group, uint32_t limit, const GroupHistory& history,
                          absl::Time asked_at);
  // The next message that this client must get.
  const Truth::Message* Next(const std::string& group, groupcast::Position position) const;

  const Options options_;
  EventQueue* const events_;
  Random* const random_;
  Truth* const truth_;
  const std::function<SimulatedHost*()> find_host_;
  uint64_t* const delivered_;
  groupcast::Session session_;
  SimulatedHost* host_ = nullptr;
  std::shared_ptr<SimulatedConnection> connection_;
  std::map<std::string, Membership> memberships_;
  std::map<std::string, uint64_t> joins_;  // shows callbacks of an earlier membership
  uint64_t next_join_ = 1;
  std::map<std::string, groupcast::Position> left_at_;
  int unanswered_ = 0;
  std::shared_ptr<SimulatedClient*> self_;
};

// The client of three lines: it joins, sends, and shows the messages.
class BareClient {
 public:
  BareClient(std::string group, std::string text, Truth* truth, SimulatedHost* host,
             uint64_t* delivered);
  ~BareClient();

  void Cut();
  std::string WhyNotAtRest() const;

 private:
  void OnText(const std::string& text);

  const std::string group_;
  const std::string text_;
  Truth* const truth_;
  SimulatedHost* const host_;
  uint64_t* const delivered_;
  std::shared_ptr<SimulatedConnection> connection_;
  bool got_own_ = false;
  Position last_;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_CLIENT_H_
