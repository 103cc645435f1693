#include "services/channel/nats/nats_channel.h"

#include <string>
#include <utility>

#include "services/common/posix.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

NatsClientOptions WithPublisher(NatsClientOptions options) {
  options.publisher = RandomId();
  return options;
}

}  // namespace

NatsChannel::NatsChannel(const NatsChannelOptions& options, EventLoop* loop,
                         ChannelListener* listener)
    : loop_(loop),
      clock_(loop),
      connection_(options.connection, loop, this),
      client_(WithPublisher(options.client), &clock_, &connection_, listener),
      self_(std::make_shared<NatsChannel*>(this)) {
  loop_->AddTurnHook([self = self_] {
    // What the answers write leaves in the next turn.
    return *self != nullptr && (*self)->client_.GiveAnswers() ? absl::InfinitePast()
                                                              : absl::InfiniteFuture();
  });
  loop_->RunEvery(absl::Milliseconds(50), [self = self_] {
    if (*self != nullptr) (*self)->Tick();
  });
}

NatsChannel::~NatsChannel() { *self_ = nullptr; }

void NatsChannel::Tick() {
  client_.Tick();
  if (client_.defect().ok()) return;
  if (const int64_t count = defect_limit_.Admit(loop_->now())) {
    spdlog::warn("the stream cannot be used: {} ({} times since the last such line)",
                 std::string(client_.defect().message()), count);
  }
}

void NatsChannel::Publish(const Publication& publication, PublishCallback done) {
  client_.Publish(publication, std::move(done));
  Touch();
}

void NatsChannel::FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                               HistoryCallback done) {
  client_.FetchHistory(group_id, after, newest, std::move(done));
  Touch();
}

void NatsChannel::Touch() { loop_->WantTurn(); }

void NatsChannel::OnNatsConnected(const NatsServerInfo& server) { client_.OnConnected(server); }

void NatsChannel::OnNatsLost(const absl::Status& why) {
  client_.OnLost();
  if (const int64_t count = lost_limit_.Admit(loop_->now())) {
    spdlog::warn("no connection to a NATS server: {} ({} times since the last such line)",
                 std::string(why.message()), count);
  }
}

}  // namespace groupcast::service
