#include "tests/faults/gateway_side.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/faults/chaos_access.h"

namespace groupcast::tests {
namespace {

std::vector<int> GroupsOf(int stream, int groups) {
  if (stream % 3 != 2) return {stream % groups};
  std::vector<int> all;
  for (int i = 0; i < std::min(3, groups); ++i) all.push_back((stream + i) % groups);
  return all;
}

Flags GatewayFlags(const FlakyProxy& links, const Flags& more) {
  Flags flags = AccessFlags();
  for (std::string flag :
       Flags{absl::StrCat("--channel=127.0.0.1:", links.port(0)),
             absl::StrCat("--channel_subscribe_port=", links.port(1)),
             absl::StrCat("--channel_control_port=", links.port(2)), "--heartbeat_interval=1s"}) {
    flags.push_back(std::move(flag));
  }
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

}  // namespace

GatewaySide::GatewaySide(const ChannelServer& server, const GatewayOptions& options, int groups,
                         int first_client, uint64_t seed, Ledger* ledger, ReturnClock* return_clock)
    : options_(options),
      groups_(groups),
      first_client_(first_client),
      seed_(seed),
      ledger_(ledger),
      links_({server.port(), static_cast<uint16_t>(server.port() + 1),
              static_cast<uint16_t>(server.port() + 2)}),
      gateway_(server, options.workers, GatewayFlags(links_, options.flags)),
      client_links_({gateway_.port()}) {
  for (int stream = 0; stream < options_.streams; ++stream) {
    const int client = first_client_ + options_.publishers + stream;
    streams_.push_back(std::make_unique<StreamMember>(
        StreamMember::Options{.client = client,
                              .port = stream % 2 == 1 ? client_links_.port(0) : gateway_.port(),
                              .groups = GroupsOf(stream, groups),
                              .token = TokenOf(UserOf(client))},
        ledger, return_clock));
  }
}

void GatewaySide::Start() {
  for (int publisher = 0; publisher < options_.publishers; ++publisher) {
    const int client = first_client_ + publisher;
    publishers_.push_back(std::make_unique<HttpPublisher>(
        HttpPublisher::Options{.client = client,
                               .port = publisher % 2 == 1 ? client_links_.port(0) : gateway_.port(),
                               .groups = groups_,
                               .token = TokenOf(UserOf(client)),
                               .interval = absl::Seconds(options_.publishers) / options_.rate,
                               .seed = seed_ + static_cast<uint64_t>(publisher)},
        ledger_));
  }
}

void GatewaySide::Finish() {
  for (const std::unique_ptr<HttpPublisher>& publisher : publishers_) publisher->RequestStop();
  for (const std::unique_ptr<HttpPublisher>& publisher : publishers_) publisher->Finish();
}

void GatewaySide::Kill() {
  earlier_output_ += gateway_.process().Output();
  gateway_.Kill();
}

std::vector<std::string> GatewaySide::UsersIn(int group) const {
  std::vector<std::string> users;
  for (size_t i = 0; i < streams_.size(); ++i) {
    const std::vector<int>& groups = streams_[i]->groups();
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) continue;
    users.push_back(UserOf(first_client_ + options_.publishers + static_cast<int>(i)));
  }
  return users;
}

HttpPublisher::Counts GatewaySide::publisher_counts() const {
  HttpPublisher::Counts sum;
  for (const std::unique_ptr<HttpPublisher>& publisher : publishers_) sum += publisher->counts();
  return sum;
}

StreamMember::Counts GatewaySide::stream_counts() const {
  StreamMember::Counts sum;
  for (const std::unique_ptr<StreamMember>& stream : streams_) sum += stream->counts();
  return sum;
}

std::vector<std::string> GatewaySide::findings() const {
  std::vector<std::string> all;
  for (const std::unique_ptr<HttpPublisher>& publisher : publishers_) {
    for (std::string& finding : publisher->findings()) all.push_back(std::move(finding));
  }
  for (const std::unique_ptr<StreamMember>& stream : streams_) {
    for (std::string& finding : stream->findings()) all.push_back(std::move(finding));
  }
  return all;
}

}  // namespace groupcast::tests
