#include "services/channel/contract/defective_channel.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace groupcast::service::contract {
namespace {

constexpr size_t kMessageBytesMax = 64 * 1024;

// What a channel leaves behind that calls after its end.
std::vector<std::function<void()>>& LeftBehind() {
  static auto* const left_behind = new std::vector<std::function<void()>>;
  return *left_behind;
}

// The keys that were used in this process.
absl::flat_hash_set<Fingerprint>& UsedKeys() {
  static auto* const keys = new absl::flat_hash_set<Fingerprint>;
  return *keys;
}

class DefectiveChannel final : public Channel, private ChannelListener {
 public:
  DefectiveChannel(absl::string_view defect, ChannelListener* listener,
                   const MemoryEngine::MakeMemoryChannel& make)
      : defect_(defect), listener_(listener), inner_(make(this)) {}

  ~DefectiveChannel() override {
    if (!Has("calls after its end")) return;
    for (PublishCallback& done : unanswered_) {
      LeftBehind().push_back([done = std::move(done)] { done(absl::UnavailableError("the end")); });
    }
  }

  void Publish(const Publication& publication, PublishCallback done) override;
  bool HasRoomFor(const PublicationsSize& size) override {
    if (Has("looks for room for one only")) return inner_->HasRoomFor({});
    if (Has("has no room for what is larger than all") && size.count > 1'000) return false;
    return inner_->HasRoomFor(size) || Has("has room without a bound");
  }
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return inner_->connected() || Has("begins as connected"); }
  size_t message_bytes_max() const override {
    return inner_->message_bytes_max() + (Has("tells a larger maximum") ? 1 : 0);
  }

 private:
  struct Held {
    std::string group_id;
    std::string data;
    Message message;
  };

  bool Has(absl::string_view defect) const { return defect_ == defect; }
  // True for the third message of this channel, and then no more.
  bool IsThird() { return ++messages_ == 3; }

  void OnSubscribed(absl::string_view group_id, const Position& head) override;
  void OnMessage(const Message& message) override;
  void OnGap(absl::string_view group_id, const Gap& gap) override;
  void OnConnectionState(bool connected) override;
  void OnRoom() override;
  void OnMisconfigured(const absl::Status& why) override { listener_->OnMisconfigured(why); }

  const std::string defect_;
  ChannelListener* const listener_;
  std::set<std::string, std::less<>> groups_;
  int messages_ = 0;
  int publications_ = 0;
  std::vector<std::pair<std::string, Position>> late_joins_;
  std::optional<Held> held_;
  std::vector<PublishCallback> unanswered_;
  std::vector<std::function<void()>> later_;
  std::unique_ptr<Channel> inner_;
};

void DefectiveChannel::Publish(const Publication& publication, PublishCallback done) {
  ++publications_;
  Publication copy = publication;
  if (Has("calls back inside Publish")) return done(absl::UnavailableError("inside"));
  if (Has("loses a publication without an answer") && publications_ % 3 == 2) return;
  if (Has("answers without publishing") && publications_ % 3 == 2) copy.group_id = "nowhere";
  if (Has("fails what should wait") && !inner_->connected()) {
    later_.push_back([done] { done(absl::UnavailableError("no connection")); });
    return;
  }
  if (Has("refuses without a reason") && publication.content.data.size() > kMessageBytesMax) {
    done = [done](const absl::StatusOr<Position>& result) {
      done(result.ok() ? result : absl::UnavailableError("too large"));
    };
  }
  if (Has("cuts what is too large")) copy.content.data = copy.content.data.substr(0, 64 * 1024);
  if (Has("cuts long data")) copy.content.data = copy.content.data.substr(0, 64 * 1024 - 1);
  if (Has("loses the kind")) copy.content.kind = Content::Kind::kText;
  if (Has("loses the time")) copy.content.sent_at_ms = 0;
  if (Has("loses the excluded session")) copy.content.excluded_session = {};
  if (Has("loses the sender")) copy.content.from = {};
  if (Has("ignores keys")) copy.key = {};
  if (Has("gives a repeat another position") && !copy.key.empty() &&
      !UsedKeys().insert(copy.key).second) {
    done = [done](absl::StatusOr<Position> result) {
      if (result.ok()) ++result->offset;
      done(result);
    };
  }
  if (Has("takes any key for the same") && !copy.key.empty()) copy.key = {1, 1};
  if (Has("mixes groups with a common prefix") && copy.group_id.size() == 3) {
    Publication mixed = copy;
    mixed.group_id = mixed.group_id.substr(0, 2);
    inner_->Publish(mixed, [](const absl::StatusOr<Position>&) {});
  }
  if (Has("answers a publication twice")) {
    done = [done](const absl::StatusOr<Position>& result) {
      done(result);
      done(result);
    };
  }
  if (Has("answers with a wrong position")) {
    done = [done](absl::StatusOr<Position> result) {
      if (result.ok()) ++result->offset;
      done(result);
    };
  }
  if (Has("calls after its end")) unanswered_.push_back(done);
  inner_->Publish(copy, std::move(done));
}

void DefectiveChannel::Subscribe(absl::string_view group_id) {
  if (Has("forgets a Subscribe without a connection") && !inner_->connected()) return;
  groups_.emplace(group_id);
  if (Has("joins inside Subscribe")) listener_->OnSubscribed(group_id, {Epoch{1}, 0});
  inner_->Subscribe(group_id);
}

void DefectiveChannel::Unsubscribe(absl::string_view group_id) {
  if (Has("delivers after Unsubscribe")) return;
  inner_->Unsubscribe(group_id);
}

void DefectiveChannel::FetchHistory(absl::string_view group_id, const Position& after,
                                    uint32_t newest, HistoryCallback done) {
  Position from = after;
  if (Has("answers a question inside the call")) return done(absl::UnavailableError("inside"));
  if (Has("loses a question")) return;
  if (Has("answers a question twice")) {
    done = [done](const absl::StatusOr<History>& history) {
      done(history);
      done(history);
    };
  }
  if (Has("begins history one too early") && from.offset > 0) --from.offset;
  if (Has("begins history one too late")) ++from.offset;
  if (Has("answers with the oldest for the newest")) newest = 0;
  if (Has("counts offsets of another epoch") && from.epoch != Epoch{}) from.epoch = Epoch{1};
  const auto change = [&](const std::function<void(History*)>& work) {
    done = [done, work](absl::StatusOr<History> history) {
      if (history.ok()) work(&*history);
      done(history);
    };
  };
  if (Has("has no floor")) change([](History* history) { history->floor = 0; });
  if (Has("has too high a floor")) {
    change([](History* history) { history->floor = history->head.offset; });
  }
  if (Has("takes a page for the whole")) {
    change([](History* history) {
      if (!history->messages.empty()) history->head.offset = history->messages.back().offset;
    });
  }
  if (Has("leaves a hole in history")) {
    change([](History* history) {
      if (history->messages.size() > 2) history->messages.erase(history->messages.begin() + 1);
    });
  }
  if (Has("loses content in history")) {
    change([](History* history) {
      for (History::Entry& entry : history->messages) entry.excluded_session = {};
    });
  }
  if (Has("gives another reason without a connection")) {
    done = [done](const absl::StatusOr<History>& history) {
      done(history.ok() ? history : absl::NotFoundError("no connection"));
    };
  }
  inner_->FetchHistory(group_id, from, newest, std::move(done));
}

void DefectiveChannel::OnSubscribed(absl::string_view group_id, const Position& head) {
  if (Has("joins inside Subscribe")) return;
  if (Has("joins after the first message")) {
    late_joins_.emplace_back(group_id, head);
    return;
  }
  Position told = head;
  if (Has("joins at a wrong position")) ++told.offset;
  if (Has("joins at the beginning")) told.offset = 0;
  listener_->OnSubscribed(group_id, told);
  if (Has("joins twice")) listener_->OnSubscribed(group_id, told);
}

void DefectiveChannel::OnMessage(const Message& message) {
  for (const std::function<void()>& call : std::exchange(LeftBehind(), {})) call();
  Message told = message;
  if (Has("names a wrong previous") && IsThird()) ++told.previous;
  if (Has("names a wrong epoch") && IsThird()) {
    told.epoch = Epoch{static_cast<uint64_t>(told.epoch) + 1};
  }
  if (Has("drops a message") && IsThird()) return;
  if (Has("tells a gap for a message that is there") && IsThird()) {
    listener_->OnGap(message.group_id,
                     {.from = message.previous, .to = {message.epoch, message.offset}});
    return;
  }
  if (Has("swaps two messages") && IsThird()) {
    held_ = {std::string(message.group_id), std::string(message.content.data), message};
    return;
  }
  listener_->OnMessage(told);
  if (Has("duplicates a message") && IsThird()) listener_->OnMessage(told);
  if (held_.has_value()) {
    Held held = *std::exchange(held_, std::nullopt);
    held.message.group_id = held.group_id;
    held.message.content.data = held.data;
    listener_->OnMessage(held.message);
  }
  for (const auto& [group_id, head] : std::exchange(late_joins_, {})) {
    listener_->OnSubscribed(group_id, head);
  }
}

void DefectiveChannel::OnGap(absl::string_view group_id, const Gap& gap) {
  if (Has("swallows gaps")) return;
  Gap told = gap;
  if (Has("does not say that the epoch is new")) told.new_epoch = false;
  listener_->OnGap(group_id, told);
}

void DefectiveChannel::OnConnectionState(bool connected) {
  for (const std::function<void()>& call : std::exchange(later_, {})) call();
  if (Has("does not tell that it is connected")) return;
  if (Has("does not tell that the connection is lost") && !connected) return;
  if (Has("forgets subscriptions with the connection") && !connected) {
    for (const std::string& group_id : groups_) inner_->Unsubscribe(group_id);
  }
  listener_->OnConnectionState(connected);
  if (Has("tells room that nobody asked for") && connected) listener_->OnRoom();
}

void DefectiveChannel::OnRoom() {
  if (!Has("tells no room")) listener_->OnRoom();
}

}  // namespace

const std::vector<absl::string_view>& Defects() {
  static const auto* const defects =
      new std::vector<absl::string_view>{"drops a message",
                                         "duplicates a message",
                                         "swaps two messages",
                                         "names a wrong previous",
                                         "names a wrong epoch",
                                         "tells a gap for a message that is there",
                                         "swallows gaps",
                                         "does not say that the epoch is new",
                                         "calls back inside Publish",
                                         "answers a question inside the call",
                                         "joins inside Subscribe",
                                         "calls after its end",
                                         "answers a publication twice",
                                         "loses a publication without an answer",
                                         "answers without publishing",
                                         "answers with a wrong position",
                                         "fails what should wait",
                                         "refuses without a reason",
                                         "cuts what is too large",
                                         "tells a larger maximum",
                                         "cuts long data",
                                         "loses the kind",
                                         "loses the time",
                                         "loses the excluded session",
                                         "loses the sender",
                                         "ignores keys",
                                         "gives a repeat another position",
                                         "takes any key for the same",
                                         "mixes groups with a common prefix",
                                         "delivers after Unsubscribe",
                                         "joins after the first message",
                                         "joins twice",
                                         "joins at a wrong position",
                                         "joins at the beginning",
                                         "forgets a Subscribe without a connection",
                                         "forgets subscriptions with the connection",
                                         "loses a question",
                                         "answers a question twice",
                                         "begins history one too early",
                                         "begins history one too late",
                                         "answers with the oldest for the newest",
                                         "counts offsets of another epoch",
                                         "has no floor",
                                         "has too high a floor",
                                         "takes a page for the whole",
                                         "leaves a hole in history",
                                         "loses content in history",
                                         "gives another reason without a connection",
                                         "begins as connected",
                                         "does not tell that it is connected",
                                         "does not tell that the connection is lost",
                                         "tells no room",
                                         "tells room that nobody asked for",
                                         "has room without a bound",
                                         "looks for room for one only",
                                         "has no room for what is larger than all"};
  return *defects;
}

std::unique_ptr<Channel> MakeDefectiveChannel(absl::string_view defect, ChannelListener* listener,
                                              const MemoryEngine::MakeMemoryChannel& make) {
  return std::make_unique<DefectiveChannel>(defect, listener, make);
}

}  // namespace groupcast::service::contract
