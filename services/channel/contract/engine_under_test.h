#ifndef GROUPCAST_SERVICES_CHANNEL_CONTRACT_ENGINE_UNDER_TEST_H_
#define GROUPCAST_SERVICES_CHANNEL_CONTRACT_ENGINE_UNDER_TEST_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "services/channel/channel.h"

namespace groupcast::service::contract {

// An engine of Channel, with what lies behind it, as the contract test needs it. One object serves
// one test. The test runs in one thread, and the engine's callbacks come from inside RunUntil.
//
// An engine must be configured so that a test reaches its bounds:
//   room           100 small publications, or 30 of 16 KiB, may wait in one channel, but not 10,000
//   retention      a message is kept while 60 of 16 KiB, or 220 small ones, came after it; it has
//                  gone after 250 of 16 KiB
//   history        one answer carries more than one message of 16 KiB, but not 30
//   message size   message_bytes_max
class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;

  // Opens a channel as another worker would. It begins to connect.
  virtual std::unique_ptr<Channel> Open(ChannelListener* listener) = 0;

  // Runs the channels' loop until `done`, or until it is hopeless to wait any longer. Returns
  // whether it is done. Time-outs are generous: they end tests that fail.
  virtual bool RunUntil(const std::function<bool()>& done) = 0;

  // Ends the connections of all channels. None comes back before Reconnect. What lies behind the
  // channels lives on.
  virtual void Disconnect() = 0;
  virtual void Reconnect() = 0;

  // All messages are lost, and another epoch begins. Called between Disconnect and Reconnect.
  virtual void LoseEverything() = 0;

  // The largest data of a publication that is taken, at least 64 KiB.
  virtual size_t message_bytes_max() const { return 64 * 1024; }
};

// Makes an engine for a test. `name` is that of its instance of the suite: letters and digits.
struct EngineFactory {
  std::string name;
  std::function<std::unique_ptr<EngineUnderTest>()> make;

  friend void PrintTo(const EngineFactory& factory, std::ostream* out) { *out << factory.name; }
};

}  // namespace groupcast::service::contract

#endif  // GROUPCAST_SERVICES_CHANNEL_CONTRACT_ENGINE_UNDER_TEST_H_
