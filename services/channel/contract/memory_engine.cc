#include "services/channel/contract/memory_engine.h"

#include "absl/strings/string_view.h"

namespace groupcast::service::contract {
namespace {

// More steps than any case needs. A case that fails ends after these.
constexpr int kStepsMax = 3'000;

}  // namespace

// A memory channel that the engine knows while it is open.
class MemoryEngine::OpenChannel final : public Channel {
 public:
  OpenChannel(MemoryEngine* engine, ChannelListener* listener)
      : engine_(engine), channel_(&engine->hub_, listener) {
    channel_.SetWaitingMax(300);
    engine_->channels_.push_back(&channel_);
  }
  ~OpenChannel() override { std::erase(engine_->channels_, &channel_); }

  void Publish(const Publication& publication, PublishCallback done) override {
    channel_.Publish(publication, std::move(done));
  }
  bool HasRoomFor(const PublicationsSize& size) override { return channel_.HasRoomFor(size); }
  void Subscribe(absl::string_view group_id) override { channel_.Subscribe(group_id); }
  void Unsubscribe(absl::string_view group_id) override { channel_.Unsubscribe(group_id); }
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override {
    channel_.FetchHistory(group_id, after, newest, std::move(done));
  }
  bool connected() const override { return channel_.connected(); }
  size_t message_bytes_max() const override { return channel_.message_bytes_max(); }
  Presence* presence() override { return channel_.presence(); }

 private:
  MemoryEngine* const engine_;
  MemoryChannel channel_;
};

MemoryEngine::MemoryEngine(Mode mode, Wrap wrap) : mode_(mode), wrap_(std::move(wrap)) {
  if (mode_ == Mode::kCountGroupsAlone) hub_.CountGroupsAlone();
  hub_.SetAnswerMax(10);
  hub_.SetKeptMax(240);
  hub_.SetMessageBytesMax(message_bytes_max());
}

std::unique_ptr<Channel> MemoryEngine::Open(ChannelListener* listener) {
  const MakeMemoryChannel make = [this](ChannelListener* its_listener) {
    return std::make_unique<OpenChannel>(this, its_listener);
  };
  return wrap_ ? wrap_(listener, make) : make(listener);
}

bool MemoryEngine::RunUntil(const std::function<bool()>& done) {
  for (int i = 0; i < kStepsMax; ++i) {
    if (done()) return true;
    Step();
    hub_.Pump();
  }
  return done();
}

void MemoryEngine::Step() {
  ++steps_;
  const bool is_up = is_up_ && (mode_ != Mode::kFlaky || steps_ % 4 != 0);
  const bool holds = mode_ == Mode::kLate && steps_ % 2 == 1;
  for (MemoryChannel* channel : channels_) {
    channel->SetConnected(is_up);
    channel->HoldMessages(holds);
    channel->HoldAnswers(holds);
  }
}

void MemoryEngine::Disconnect() {
  is_up_ = false;
  for (MemoryChannel* channel : channels_) channel->SetConnected(false);
}

void MemoryEngine::LoseEverything() { hub_.BeginEpoch(Epoch{++epoch_}); }

}  // namespace groupcast::service::contract
