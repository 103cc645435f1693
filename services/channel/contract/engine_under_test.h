#ifndef GROUPCAST_SERVICES_CHANNEL_CONTRACT_ENGINE_UNDER_TEST_H_
#define GROUPCAST_SERVICES_CHANNEL_CONTRACT_ENGINE_UNDER_TEST_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "services/channel/channel.h"

namespace groupcast::service::contract {

// An engine of Channel and the server or hub behind it, as the contract test needs them. One object
// serves one test. The test runs in one thread, and the engine's callbacks come from inside
// RunUntil.
//
// An engine must be configured so that a test reaches its bounds:
//   room           100 small publications, or 30 of 16 KiB, may wait in one channel, but not 10,000
//   retention      the engine keeps a message while 60 messages of 16 KiB, or 220 small ones,
//                  follow; it drops the message before 250 of 16 KiB have followed
//   history        one answer carries more than one message of 16 KiB, but not 30
//   message size   message_bytes_max
class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;

  // Opens a channel like one more worker. The channel begins to connect.
  virtual std::unique_ptr<Channel> Open(ChannelListener* listener) = 0;

  // Runs the channels' loop until `done` returns true, or until a long timeout. Returns the last
  // value of `done`. The timeout only ends tests that fail.
  virtual bool RunUntil(const std::function<bool()>& done) = 0;

  // Ends the connections of all channels. They stay lost until Reconnect. The server or hub behind
  // the channels stays alive.
  virtual void Disconnect() = 0;
  virtual void Reconnect() = 0;

  // Loses all messages and begins another epoch. The test calls it between Disconnect and
  // Reconnect.
  virtual void LoseEverything() = 0;

  // The largest data of a publication that the engine takes, at least 64 KiB.
  virtual size_t message_bytes_max() const { return 64 * 1024; }
};

// Creates an engine for a test. `name` is the name of its instance of the suite: letters and
// digits.
struct EngineFactory {
  std::string name;
  std::function<std::unique_ptr<EngineUnderTest>()> make;

  friend void PrintTo(const EngineFactory& factory, std::ostream* out) { *out << factory.name; }
};

}  // namespace groupcast::service::contract

#endif  // GROUPCAST_SERVICES_CHANNEL_CONTRACT_ENGINE_UNDER_TEST_H_
