// The ranges of all numbers and durations among the flags of both services. The flags are those of
// --help, so a new one fails here until it has its range.

#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"
#include "tests/support/services.h"

namespace groupcast::tests {
namespace {

using ::testing::StartsWith;
using Values = std::vector<std::string>;

struct FlagRange {
  std::string binary;
  std::string flag;
  Values taken;    // the ends of the range, and exceptions such as 0 for no limit
  Values refused;  // the nearest values outside
  Flags beside;    // flags that the taken values need
};

std::ostream& operator<<(std::ostream& out, const FlagRange& range) { return out << range.flag; }

FlagRange OfService(const std::string& flag, Values taken, Values refused, Flags beside = {}) {
  return {kWebSocketServiceBinary, flag, std::move(taken), std::move(refused), std::move(beside)};
}
FlagRange OfServer(const std::string& flag, Values taken, Values refused, Flags beside = {}) {
  return {kChannelServerBinary, flag, std::move(taken), std::move(refused), std::move(beside)};
}
// From 1 to 2^31.
FlagRange SizeOfService(const std::string& flag) {
  return OfService(flag, {"1", "2147483648"}, {"-1", "0", "2147483649"});
}
FlagRange SizeOfServer(const std::string& flag) {
  return OfServer(flag, {"1", "2147483648"}, {"-1", "0", "2147483649"});
}
// Above 0, and at most a day.
FlagRange TimeOfService(const std::string& flag) {
  return OfService(flag, {"1ns", "24h"}, {"-1s", "0s", "24h1ns"});
}
FlagRange UpToAMillion(const std::string& flag) {
  return OfService(flag, {"0", "1", "1000000"}, {"-1", "1000001"});
}
FlagRange RateOfService(const std::string& flag, Flags beside = {}) {
  return OfService(flag, {"0", "0.001", "1000000"}, {"-1", "0.0009", "1000000.1"},
                   std::move(beside));
}
FlagRange BurstOfService(const std::string& flag) {
  return OfService(flag, {"1", "1000000"}, {"-1", "0", "0.9", "1000000.1"});
}

const std::vector<FlagRange>& Ranges() {
  static const auto& ranges = *new std::vector<FlagRange>{
      OfService("port", {"0", "65535"}, {"-1", "65536"}),
      OfService("admin_port", {"-1", "0", "65535"}, {"-2", "65536"}),
      OfService("workers", {"0", "255"}, {"-1", "256"}),
      OfService("channel_subscribe_port", {"0", "65535"}, {"-1", "65536"}),
      OfService("channel_control_port", {"0", "65535"}, {"-1", "65536"}),
      SizeOfService("max_message_bytes"),
      SizeOfService("max_frame_bytes"),
      SizeOfService("max_groups_per_connection"),
      SizeOfService("max_connections_per_worker"),
      SizeOfService("max_tls_handshakes_per_worker"),
      SizeOfService("deflate_threshold"),
      SizeOfService("input_burst_bytes"),
      SizeOfService("outbox_total_bytes"),
      SizeOfService("outbox_bytes"),
      SizeOfService("burst_bytes"),
      SizeOfService("unsent_bytes"),
      SizeOfService("window_bytes"),
      SizeOfService("unfinished_bytes"),
      SizeOfService("held_bytes"),
      UpToAMillion("max_connections_per_address"),
      UpToAMillion("max_connections_per_user"),
      UpToAMillion("max_groups_per_user"),
      RateOfService("commands_per_second"),
      RateOfService("user_commands_per_second"),
      RateOfService("accepts_per_second", {"--accept_burst=250000"}),
      BurstOfService("command_burst"),
      BurstOfService("user_command_burst"),
      BurstOfService("accept_burst"),
      OfService("input_bytes_per_second", {"0", "16384", "2147483648"},
                {"-1", "16383", "2147483649"}, {"--input_burst_bytes=536870912"}),
      OfService("token_leeway", {"0s", "24h"}, {"-1ns", "24h1ns"}),
      OfService("token_grace", {"0s", "24h"}, {"-1ns", "24h1ns"}),
      TimeOfService("handshake_timeout"),
      TimeOfService("ping_interval"),
      TimeOfService("pong_timeout"),
      TimeOfService("authentication_timeout"),
      TimeOfService("channel_timeout"),
      TimeOfService("drain_time"),
      OfService("stall_timeout", {"1s", "24h"}, {"-1s", "999ms", "24h1ns"}),

      // The two ports after it are those of the other links.
      OfServer("port", {"0", "65533"}, {"-1", "65534", "65536"}),
      OfServer("admin_port", {"-1", "0", "65535"}, {"-2", "65536"}),
      OfServer("subscribe_port", {"0", "65535"}, {"-1", "65536"}),
      OfServer("control_port", {"0", "65535"}, {"-1", "65536"}),
      SizeOfServer("max_message_bytes"),
      SizeOfServer("history_messages"),
      OfServer("retained_bytes", {"1", "1099511627776"}, {"-1", "0", "1099511627777"}),
      OfServer("subscriber_queue_frames", {"1", "2147483647"}, {"-1", "0", "2147483648"}),
      OfServer("io_threads", {"1", "64"}, {"-1", "0", "65"}),
      OfServer("history_age", {"0s", "8760h"}, {"-1ns", "8760h1ns"}),
      OfServer("repair_retention", {"1s", "8760h"}, {"-1s", "999ms", "8760h1ns"}),
      OfServer("subscriber_patience", {"0s", "24h"}, {"-1ns", "24h1ns"}),
      OfServer("presence_grace", {"0s", "1m"}, {"-1ns", "1m1ns"}),
  };
  return ranges;
}

class FlagRangeTest : public ::testing::TestWithParam<FlagRange> {
 protected:
  struct End {
    int code = 0;
    std::string output;
  };
  static End Check(const std::string& value, Flags beside) {
    beside.push_back(absl::StrCat("--", GetParam().flag, "=", value));
    beside.push_back("--check_config");
    Process process(GetParam().binary, beside);
    const int code = process.WaitForEnd();
    return {code, process.Output()};
  }
};

TEST_P(FlagRangeTest, TakesTheEndsOfItsRange) {
  for (const std::string& value : GetParam().taken) {
    const End end = Check(value, GetParam().beside);
    EXPECT_EQ(end.code, 0) << value << ": " << end.output;
  }
}

TEST_P(FlagRangeTest, RefusesWhatIsOutsideAndNamesTheFlag) {
  Values refused = GetParam().refused;
  // No numbers, or numbers without an end. A duration needs a unit.
  refused.insert(refused.end(), {"", "x", "5x", "nan", "inf", "-inf", "9223372036854775808"});
  const std::string program =
      GetParam().binary == kChannelServerBinary ? "channel_server: " : "websocket_service: ";
  for (const std::string& value : refused) {
    const End end = Check(value, GetParam().beside);
    EXPECT_EQ(end.code, 1) << value;
    EXPECT_THAT(end.output, StartsWith(absl::StrCat(program, "--", GetParam().flag))) << value;
  }
}

INSTANTIATE_TEST_SUITE_P(BothServices, FlagRangeTest, ::testing::ValuesIn(Ranges()),
                         [](const auto& info) {
                           const bool is_server = info.param.binary == kChannelServerBinary;
                           return absl::StrCat(is_server ? "channel_server_" : "websocket_service_",
                                               info.param.flag);
                         });

// The flags of a program whose values are numbers or durations.
std::set<std::string> NumbersOf(const std::string& binary) {
  Process process(binary, {"--help"});
  EXPECT_EQ(process.WaitForEnd(), 0);
  const std::string help = process.Output();
  std::set<std::string> flags;
  for (absl::string_view line : absl::StrSplit(help, '\n')) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(absl::ByAnyChar("= "), 4));
    // "  --port=NUMBER  (default: 1234)"
    if (absl::StartsWith(line, "  --") && parts.size() > 3 &&
        (parts[3] == "NUMBER" || parts[3] == "DURATION")) {
      flags.emplace(parts[2].substr(2));
    }
  }
  return flags;
}

TEST(FlagRangesTest, EachNumberHasItsRange) {
  for (const std::string binary : {kWebSocketServiceBinary, kChannelServerBinary}) {
    std::set<std::string> flags;
    for (const FlagRange& range : Ranges()) {
      if (range.binary == binary) flags.insert(range.flag);
    }
    EXPECT_EQ(NumbersOf(binary), flags);
  }
}

}  // namespace
}  // namespace groupcast::tests
