#ifndef GROUPCAST_TOOLS_GROUPCAST_DELIVERY_TALLY_H_
#define GROUPCAST_TOOLS_GROUPCAST_DELIVERY_TALLY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/groupcast/exit_code.h"

namespace groupcast::cli {

// What became of the messages of one run. Each message has the number of its line, from 1, or 0 if
// it is the only one. Not thread-safe.
class DeliveryTally {
 public:
  // The failures that Report names. Further ones are counted.
  static constexpr size_t kNamedFailures = 10;

  // The message was handed to the client. Its result follows.
  void Begin() { ++begun_; }
  // The result of a message that was begun.
  void End(uint64_t line, const absl::Status& result);
  // The message was not handed to the client at all.
  void Refuse(uint64_t line, const absl::Status& why);

  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t failed() const { return refused_ + not_sent_ + unknown_; }
  uint64_t waiting() const { return begun_ - ended_; }
  uint64_t total() const { return acknowledged_ + failed() + waiting(); }

  // The lines for people: how many were acknowledged, and which were not.
  std::vector<std::string> Report() const;

  // An unknown outcome counts before a refusal, and that before a server that was away.
  ExitCode exit_code() const;

 private:
  struct Failure {
    uint64_t line;
    std::string text;
  };

  void Fail(uint64_t line, const absl::Status& why);

  uint64_t begun_ = 0;
  uint64_t ended_ = 0;
  uint64_t acknowledged_ = 0;
  uint64_t refused_ = 0;   // it has no place, and will get none
  uint64_t not_sent_ = 0;  // it has no place, because the server was away
  uint64_t unknown_ = 0;   // it may have a place
  std::vector<Failure> failures_;
};

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_DELIVERY_TALLY_H_
