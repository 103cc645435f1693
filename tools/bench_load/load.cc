#include "tools/bench_load/load.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace groupcast::bench {
namespace {

// One after the other, `in_flight` at once.
class AllHaveIt final : public Load {
 public:
  AllHaveIt(const Scenario& scenario, Send send) : Load(scenario, std::move(send)) {}

  void GiveUpBefore(int64_t sent_ns, int64_t now_ns) override {
    const auto too_old = [&](const UnderWay& message) { return message.stamp.sent_ns < sent_ns; };
    for (size_t count = std::erase_if(under_way_, too_old); count > 0; --count) CountUnanswered();
    SendSome(now_ns);
  }

 private:
  struct UnderWay {
    Stamp stamp;
    uint32_t members_left;
  };

  void OnStart(int64_t now_ns) override { SendSome(now_ns); }

  void OnCopy(uint32_t, const Stamp& stamp, int64_t now_ns) override {
    // There are few, and the one that is looked for is near the front.
    const auto message = std::find_if(under_way_.begin(), under_way_.end(), [&](const UnderWay& m) {
      return m.stamp.sequence == stamp.sequence && m.stamp.stream == stamp.stream;
    });
    if (message == under_way_.end() || --message->members_left > 0) return;
    under_way_.erase(message);
    SendSome(now_ns);
  }

  void SendSome(int64_t now_ns) {
    while (sending() && under_way_.size() < scenario().in_flight) {
      const uint32_t group = next_ % scenario().groups;
      const uint32_t sender = next_ / scenario().groups % scenario().senders_per_group;
      ++next_;
      under_way_.push_back({SendMessage(group, sender, now_ns), MembersOf(group)});
    }
  }

  std::vector<UnderWay> under_way_;
  uint32_t next_ = 0;
};

// Everybody on its own.
class OwnCame final : public Load {
 public:
  OwnCame(const Scenario& scenario, Send send)
      : Load(scenario, std::move(send)), last_(scenario.groups * scenario.senders_per_group) {}

  void GiveUpBefore(int64_t sent_ns, int64_t now_ns) override {
    if (!sending()) return;
    for (uint32_t stream = 0; stream < last_.size(); ++stream) {
      if (last_[stream].sent_ns >= sent_ns) continue;
      CountUnanswered();
      SendNext(stream, now_ns);
    }
  }

 private:
  void OnStart(int64_t now_ns) override {
    for (uint32_t stream = 0; stream < last_.size(); ++stream) SendNext(stream, now_ns);
  }

  void OnCopy(uint32_t connection, const Stamp& stamp, int64_t now_ns) override {
    const bool own = connection == SenderOf(stamp.stream);
    if (own && sending() && stamp == last_[stamp.stream]) SendNext(stamp.stream, now_ns);
  }

  uint32_t SenderOf(uint32_t stream) const {
    return scenario().FirstMemberOf(stream / scenario().senders_per_group) +
           stream % scenario().senders_per_group;
  }

  void SendNext(uint32_t stream, int64_t now_ns) {
    last_[stream] = SendMessage(stream / scenario().senders_per_group,
                                stream % scenario().senders_per_group, now_ns);
  }

  std::vector<Stamp> last_;  // by stream
};

// By the clock. A message that could not be sent in time is stamped with the moment at which it was
// due, so that what holds the sender up counts as latency.
class AtRate final : public Load {
 public:
  AtRate(const Scenario& scenario, Send send)
      : Load(scenario, std::move(send)),
        interval_ns_(static_cast<int64_t>(1e9 / scenario.per_second)) {}

  void OnTime(int64_t now_ns) override {
    for (; sending() && due_ns_ <= now_ns; due_ns_ += interval_ns_) {
      const uint32_t group = next_ % scenario().groups;
      const uint32_t sender = next_ / scenario().groups % scenario().senders_per_group;
      ++next_;
      SendMessage(group, sender, due_ns_);
    }
  }
  int64_t NextTime() const override { return sending() ? due_ns_ : kNever; }
  void GiveUpBefore(int64_t, int64_t) override {}

 private:
  void OnStart(int64_t now_ns) override { due_ns_ = now_ns; }
  void OnCopy(uint32_t, const Stamp&, int64_t) override {}

  const int64_t interval_ns_;
  int64_t due_ns_ = 0;
  uint32_t next_ = 0;
};

}  // namespace

std::unique_ptr<Load> Load::Create(const Scenario& scenario, Send send) {
  switch (scenario.pace) {
    case Scenario::Pace::kAllHaveIt:
      return std::make_unique<AllHaveIt>(scenario, std::move(send));
    case Scenario::Pace::kOwnCame:
      return std::make_unique<OwnCame>(scenario, std::move(send));
    case Scenario::Pace::kRate:
      return std::make_unique<AtRate>(scenario, std::move(send));
  }
  return nullptr;
}

namespace {

// Words of 2 to 9 letters, of a vocabulary of 500.
std::string Words(size_t bytes) {
  std::mt19937 random(1);
  std::vector<std::string> words(500);
  for (std::string& word : words) {
    word.resize(2 + random() % 8);
    for (char& letter : word) letter = static_cast<char>('a' + random() % 26);
  }
  std::string text;
  while (text.size() < bytes) text += words[random() % words.size()];
  return text;
}

// Records as in JSON. Apostrophes stand for quotation marks: a server that puts a message into JSON
// would escape those.
std::string Records(size_t bytes) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < bytes) {
    absl::StrAppend(&text, "{'id':", random() % 1'000'000, ",'user':'user", random() % 1'000,
                    "','x':", random() % 2'000, ",'y':", random() % 2'000, ",'status':'",
                    random() % 2 == 0 ? "active" : "idle", "'},");
  }
  return text;
}

}  // namespace

std::string FillingOf(const Scenario& scenario) {
  const size_t bytes = std::max(scenario.message_bytes, kStampBytes);
  std::string text;
  switch (scenario.filling) {
    case Scenario::Filling::kLetter:
      break;
    case Scenario::Filling::kWords:
      text = Words(bytes);
      break;
    case Scenario::Filling::kRecords:
      text = Records(bytes);
      break;
  }
  text.resize(bytes, 'x');
  return text;
}

Load::Load(const Scenario& scenario, Send send)
    : scenario_(scenario),
      send_(std::move(send)),
      stalls_(scenario.beside == Scenario::Beside::kStall),
      check_(scenario.groups * scenario.senders_per_group),
      message_(FillingOf(scenario)) {
  for (uint32_t connection = 0; connection < scenario.connections; ++connection) {
    check_.AddMember({scenario.FirstGroupOf(connection) * scenario.senders_per_group,
                      scenario.groups_per_connection * scenario.senders_per_group});
  }
  // The others get nothing.
  for (uint32_t i = scenario.connections; i < scenario.all_connections(); ++i) check_.AddMember({});
}

void Load::Start(int64_t now_ns) {
  sending_ = true;
  OnStart(now_ns);
}

Stamp Load::SendMessage(uint32_t group, uint32_t sender, int64_t sent_ns) {
  Stamp stamp;
  stamp.stream = group * scenario_.senders_per_group + sender;
  stamp.sequence = check_.Send(stamp.stream);
  stamp.sent_ns = sent_ns;
  WriteStamp(stamp, message_.data());
  ++sent_;
  owed_ += MembersOf(group);
  send_(scenario_.FirstMemberOf(group) + sender, Group{group}, message_);
  return stamp;
}

void Load::OnMessage(uint32_t connection, const Stamp& stamp, int64_t now_ns) {
  const DeliveryCheck::Verdict verdict = check_.Receive(connection, stamp);
  last_came_ns_ = now_ns;
  if (measuring_ && !(stalls_ && scenario_.Stalls(connection))) {
    ++deliveries_;
    latency_.Record(now_ns - stamp.sent_ns);
  }
  if (verdict == DeliveryCheck::Verdict::kDoubled || verdict == DeliveryCheck::Verdict::kStray) {
    return;
  }
  --owed_;
  OnCopy(connection, stamp, now_ns);
}

void Load::Excuse(uint32_t connection) {
  owed_ -= check_.Excuse(connection);
  excused_.resize(scenario_.groups, 0);
  for (uint32_t i = 0; i < scenario_.groups_per_connection; ++i) {
    ++excused_[scenario_.FirstGroupOf(connection) + i];
  }
}

void Load::Report(RunResult* result) const {
  result->counts = check_.Finish();
  result->sent = sent_;
  result->unanswered = unanswered_;
  result->deliveries = deliveries_;
  result->latency = latency_;
}

}  // namespace groupcast::bench
