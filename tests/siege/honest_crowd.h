#ifndef GROUPCAST_TESTS_SIEGE_HONEST_CROWD_H_
#define GROUPCAST_TESTS_SIEGE_HONEST_CROWD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/common/event_loop.h"
#include "tests/siege/peer.h"
#include "tools/bench_load/latency_histogram.h"

namespace groupcast::tests {

// Honest clients in groups of five. Each sends five messages per second to its group. One in twenty
// of them has 60 KB and arrives in two parts.
//
// It checks that each member gets each message of its group once, and each sender's messages in
// their order. It measures the time from the moment at which a small message is due until each
// delivery.
class HonestCrowd final : public Peer::Listener {
 public:
  struct Counts {
    int64_t sent = 0;
    int64_t acknowledged = 0;
    int64_t refused = 0;
    int64_t delivered = 0;
    int64_t lost = 0;
    int64_t repeated = 0;  // doubled, or after a later one of the same sender
    int64_t closed = 0;    // connections that the service ended

    bool Clean() const {
      return refused == 0 && lost == 0 && repeated == 0 && closed == 0 && acknowledged == sent;
    }
    std::string Text() const;
  };

  // `count` is a multiple of kMembers. `loop` must outlive it.
  HonestCrowd(int count, const PeerOptions& options, service::EventLoop* loop);

  static constexpr size_t kMembers = 5;  // of each group

  // Whether all have joined.
  bool ready() const { return joined_ == clients_.size(); }
  // Begins to send, or stops.
  void Start();
  void Stop() { sending_ = false; }
  // Whether each send is answered and each message has reached each member.
  bool settled() const;

  // The latencies since the last call.
  bench::LatencyHistogram TakeLatencies();
  const Counts& counts() const { return counts_; }

 private:
  struct Client {
    std::unique_ptr<Peer> peer;
    int64_t sent = 0;
    // For each client of its group: the number of the next message from it.
    std::vector<int64_t> next = std::vector<int64_t>(kMembers, 0);
    std::string second_part;
  };

  void OnOpen(Peer* peer) override;
  void OnText(Peer* peer, absl::string_view head) override;
  void OnClosed(Peer* peer, int code) override;
  void OnMessage(size_t member, absl::string_view head);
  void SendDue();
  void SendOne(size_t client, int64_t due_ns);

  service::EventLoop* const loop_;
  std::vector<Client> clients_;
  size_t joined_ = 0;
  bool sending_ = false;
  int64_t began_ns_ = 0;
  int64_t due_ = 0;  // messages that have become due since began_ns_
  Counts counts_;
  bench::LatencyHistogram latencies_;
};

// A member of a quiet group. It leaves, misses one message, and comes back with its last position,
// again and again.
class Returner final : public Peer::Listener {
 public:
  // `loop` must outlive it.
  Returner(const PeerOptions& options, service::EventLoop* loop);

  void Stop() { stopped_ = true; }
  int64_t returns() const { return returns_; }
  // Returns without the missed message.
  int64_t losses() const { return losses_; }

 private:
  void OnOpen(Peer* peer) override;
  void OnText(Peer* peer, absl::string_view head) override;
  void OnClosed(Peer* peer, int code) override;
  void OnEvent(absl::string_view head);
  void GoAway();

  service::EventLoop* const loop_;
  std::unique_ptr<Peer> sender_;
  std::unique_ptr<Peer> member_;
  std::string epoch_;
  int64_t offset_ = 0;  // the member's position
  bool stopped_ = false;
  int64_t returns_ = 0;
  int64_t losses_ = 0;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SIEGE_HONEST_CROWD_H_
