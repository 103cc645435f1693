#ifndef GROUPCAST_TESTS_FAULTS_CHAOS_MESSAGE_H_
#define GROUPCAST_TESTS_FAULTS_CHAOS_MESSAGE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace groupcast::tests {

std::string GroupId(int group);

// A message says its sender, its number among the sender's, and its time, for the judge and for
// the time to the first delivery. Its length depends on its number. It has no characters that JSON
// escapes.
std::string MessageText(int client, uint64_t number, absl::Time now);

struct Stamp {
  int client = 0;
  uint64_t number = 0;
  int64_t sent_us = 0;
};

// False: it is not the whole text of a message.
bool ParseMessage(absl::string_view text, Stamp* stamp);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_CHAOS_MESSAGE_H_
