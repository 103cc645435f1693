#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_KEYED_SENDER_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_KEYED_SENDER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/channel/testing/event_queue.h"
#include "services/channel/testing/simulated_client.h"
#include "services/channel/testing/truth.h"

namespace groupcast::service::testing {

// A client that chooses its keys, as an application may. It sends each text to one or more groups
// with one command, and repeats the command with the same key, within the key's window and after
// it. It checks the answers against the truth.
class KeyedSender {
 public:
  struct Options {
    std::string session;
    // The server may forget keys: a send may come again in a new epoch.
    bool may_come_again = false;
    // The time after its window for which a key may still count.
    absl::Duration slack = absl::Seconds(1);
  };
  // `find_host` returns a worker to connect to, or null.
  KeyedSender(const Options& options, EventQueue* events, Random* random, Truth* truth,
              std::function<SimulatedHost*()> find_host);
  ~KeyedSender();

  void Send(const std::vector<std::string>& groups, const std::string& text);

  // Empty, or the reason why the client is not at rest yet.
  std::string WhyNotAtRest() const;

  // The number of answers with the place of an earlier send.
  uint64_t same_places() const { return same_places_; }
  // The number of answers with a place of their own to a send whose window had passed.
  uint64_t new_places() const { return new_places_; }

 private:
  struct Command {
    std::vector<std::string> groups;
    std::string text;
    absl::Time first_sent_at = absl::InfiniteFuture();  // in this attempt
  };

  void Connect();
  void OnDisconnected();
  void OnText(const std::string& text);
  void SendLater(const Command& command, absl::Duration delay);
  void Write(uint64_t id);
  void CheckPlace(const Command& command, const std::string& group, const Position& position);

  const Options options_;
  EventQueue* const events_;
  Random* const random_;
  Truth* const truth_;
  const std::function<SimulatedHost*()> find_host_;
  std::shared_ptr<SimulatedConnection> connection_;
  SimulatedHost* host_ = nullptr;
  uint64_t next_id_ = 1;
  int later_ = 0;                        // sends that are not due yet
  std::map<uint64_t, Command> waiting_;  // for their answers, by their command's id
  std::map<std::pair<std::string, std::string>, Position> places_;  // by group and text, the last
  uint64_t same_places_ = 0;
  uint64_t new_places_ = 0;
  std::shared_ptr<KeyedSender*> self_;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_KEYED_SENDER_H_
