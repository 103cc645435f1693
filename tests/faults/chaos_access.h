#ifndef GROUPCAST_TESTS_FAULTS_CHAOS_ACCESS_H_
#define GROUPCAST_TESTS_FAULTS_CHAOS_ACCESS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "tests/support/services.h"

namespace groupcast::tests {

// Each client of chaos is a user with a token for all groups, and messages name their senders.

// The flags of the services that clients connect to.
Flags AccessFlags();

std::string TokenOf(absl::string_view user);

std::string UserOf(int client);
std::string WatcherName(int watcher);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_CHAOS_ACCESS_H_
