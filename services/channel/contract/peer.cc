#include "services/channel/contract/peer.h"

#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service::contract {

template <typename Call>
auto Peer::In(Call call) {
  const bool before = std::exchange(rules_->in_call, true);
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    rules_->in_call = before;
  } else {
    auto result = call();
    rules_->in_call = before;
    return result;
  }
}

bool Peer::Rules::MayCall(absl::string_view what) const {
  EXPECT_FALSE(in_call) << what << " is called from inside a call of the channel";
  EXPECT_FALSE(closed) << what << " is called after the channel was destroyed";
  return !closed;
}

Peer::Peer(EngineUnderTest* engine) : engine_(engine) {
  channel_ = In([&] { return engine_->Open(this); });
}

Peer::~Peer() { Close(); }

void Peer::Close() {
  In([&] { channel_ = nullptr; });
  rules_->closed = true;
}

void Peer::Subscribe(absl::string_view group_id) {
  groups_[std::string(group_id)] = {.subscribed = true};
  In([&] { channel_->Subscribe(group_id); });
}

void Peer::Unsubscribe(absl::string_view group_id) {
  groups_[std::string(group_id)].subscribed = false;
  In([&] { channel_->Unsubscribe(group_id); });
}

std::shared_ptr<const Outcome> Peer::Publish(absl::string_view group_id, absl::string_view text) {
  return Publish({.group_id = group_id, .content = {.data = text}, .key = {}});
}

std::shared_ptr<const Outcome> Peer::Publish(const Publication& publication) {
  auto outcome = std::make_shared<Outcome>();
  In([&] {
    channel_->Publish(publication,
                      [rules = rules_, outcome](const absl::StatusOr<Position>& result) {
                        ++outcome->times;
                        EXPECT_EQ(outcome->times, 1) << "a publication is answered again";
                        if (!rules->MayCall("a publication's callback")) return;
                        outcome->result = result;
                      });
  });
  return outcome;
}

bool Peer::HasRoom(const PublicationsSize& size) {
  return In([&] { return channel_->HasRoomFor(size); });
}

std::shared_ptr<const Peer::Answer> Peer::AskHistory(absl::string_view group_id,
                                                     const Position& after, uint32_t newest) {
  auto answer = std::make_shared<Answer>();
  In([&] {
    channel_->FetchHistory(group_id, after, newest,
                           [rules = rules_, answer](const absl::StatusOr<History>& history) {
                             ++answer->times;
                             EXPECT_EQ(answer->times, 1) << "a question is answered again";
                             if (!rules->MayCall("a question's callback")) return;
                             answer->history = history;
                           });
  });
  return answer;
}

absl::StatusOr<History> Peer::FetchHistory(absl::string_view group_id, const Position& after,
                                           uint32_t newest) {
  std::shared_ptr<const Answer> answer;
  engine_->RunUntil([&] {
    if (answer == nullptr || (answer->times > 0 && absl::IsUnavailable(answer->history.status()))) {
      answer = AskHistory(group_id, after, newest);
    }
    return answer->times > 0 && !absl::IsUnavailable(answer->history.status());
  });
  if (!answer->history.ok()) return answer->history;
  // What holds for each answer.
  const History& history = *answer->history;
  EXPECT_LE(history.floor, history.head.offset);
  uint64_t last = history.floor;
  for (size_t i = 0; i < history.messages.size(); ++i) {
    const History::Entry& entry = history.messages[i];
    EXPECT_GT(entry.offset, last);
    if (i == 0) {
      EXPECT_GE(entry.previous, history.floor) << "messages from below the floor";
    } else {
      EXPECT_EQ(entry.previous, last) << "a hole in the history";
    }
    last = entry.offset;
  }
  EXPECT_LE(last, history.head.offset);
  return history;
}

const std::vector<Event>& Peer::events(absl::string_view group_id) {
  return groups_[std::string(group_id)].events;
}

bool Peer::joined(absl::string_view group_id) { return groups_[std::string(group_id)].joined; }

std::vector<std::string> Peer::texts(absl::string_view group_id) {
  std::vector<std::string> texts;
  for (const Event& event : events(group_id)) {
    if (event.kind == Event::Kind::kMessage) texts.push_back(event.entry.data);
  }
  return texts;
}

Position Peer::position(absl::string_view group_id) {
  const std::vector<Event>& all = events(group_id);
  return all.empty() ? Position{} : all.back().position;
}

void Peer::Add(absl::string_view group_id, Event event) {
  Group& group = groups_[std::string(group_id)];
  EXPECT_TRUE(group.subscribed) << "group " << group_id << ": something comes without Subscribe";
  group.events.push_back(event);
  if (on_event) on_event(group_id, event);
}

void Peer::OnSubscribed(absl::string_view group_id, const Position& head) {
  if (!rules_->MayCall("OnSubscribed")) return;
  Group& group = groups_[std::string(group_id)];
  EXPECT_FALSE(group.joined) << "group " << group_id << ": OnSubscribed comes again";
  EXPECT_TRUE(group.events.empty()) << "group " << group_id << ": something before OnSubscribed";
  group.joined = true;
  // A copy: the view is good during this call only, and the event may outlive it.
  Add(std::string(group_id), {.kind = Event::Kind::kSubscribed, .position = head});
}

void Peer::OnMessage(const Message& message) {
  if (!rules_->MayCall("OnMessage")) return;
  const std::string group_id(message.group_id);
  EXPECT_TRUE(joined(group_id)) << "group " << group_id << ": a message before OnSubscribed";
  const Position last = position(group_id);
  EXPECT_EQ(EpochText(message.epoch), EpochText(last.epoch)) << "group " << group_id;
  EXPECT_EQ(message.previous, last.offset) << "group " << group_id << ": not the next message";
  EXPECT_GT(message.offset, last.offset) << "group " << group_id;
  Add(group_id, {.kind = Event::Kind::kMessage,
                 .position = {message.epoch, message.offset},
                 .previous = message.previous,
                 .entry = {.offset = message.offset,
                           .previous = message.previous,
                           .kind = message.content.kind,
                           .data = std::string(message.content.data),
                           .sent_at_ms = message.content.sent_at_ms,
                           .excluded_session = message.content.excluded_session,
                           .from = std::string(message.content.from)}});
}

void Peer::OnGap(absl::string_view group_id, const Gap& gap) {
  if (!rules_->MayCall("OnGap")) return;
  EXPECT_TRUE(joined(group_id)) << "group " << group_id << ": a gap before OnSubscribed";
  const Position last = position(group_id);
  EXPECT_EQ(gap.new_epoch, gap.to.epoch != last.epoch) << "group " << group_id;
  if (!gap.new_epoch) {
    EXPECT_EQ(gap.from, last.offset) << "group " << group_id;
    EXPECT_GT(gap.to.offset, gap.from) << "group " << group_id;
  }
  ++gaps_;
  Add(std::string(group_id), {.kind = Event::Kind::kGap, .position = gap.to});
}

void Peer::OnConnectionState(bool connected) {
  if (!rules_->MayCall("OnConnectionState")) return;
  EXPECT_NE(connected, states_.empty() ? false : states_.back()) << "the state is told again";
  states_.push_back(connected);
}

void Peer::OnRoom() {
  if (rules_->MayCall("OnRoom")) ++rooms_;
}

void Peer::OnMisconfigured(const absl::Status& why) {
  ADD_FAILURE() << "the engine is misconfigured: " << why;
}

}  // namespace groupcast::service::contract
