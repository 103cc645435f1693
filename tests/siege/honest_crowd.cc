#include "tests/siege/honest_crowd.h"

#include <ctime>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/event.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

constexpr int64_t kSendIntervalNs = 200'000'000;  // of one client
constexpr absl::Duration kSendTick = absl::Milliseconds(2);
constexpr int64_t kLargeEvery = 20;
constexpr size_t kLargeBytes = 60'000;
constexpr absl::Duration kSecondPartAfter = absl::Milliseconds(20);
constexpr absl::Duration kAway = absl::Seconds(5);

constexpr char kQuietGroup[] = R"("siege quiet")";

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

std::string GroupOf(size_t client) {
  return Quoted(absl::StrCat("siege honest ", client / HonestCrowd::kMembers));
}

// The number after `name` in the beginning of an event. -1: there is none.
int64_t NumberAfter(absl::string_view name, absl::string_view head) {
  const size_t at = head.find(name);
  if (at == absl::string_view::npos) return -1;
  const size_t from = at + name.size();
  const size_t to = head.find_first_not_of("0123456789", from);
  int64_t number = -1;
  if (!absl::SimpleAtoi(head.substr(from, to - from), &number)) return -1;
  return number;
}

}  // namespace

std::string HonestCrowd::Counts::Text() const {
  return absl::StrCat(sent, " sent, ", acknowledged, " acknowledged, ", refused, " refused, ",
                      delivered, " delivered, ", lost, " lost, ", repeated, " repeated, ", closed,
                      " closed");
}

HonestCrowd::HonestCrowd(int count, const PeerOptions& options, service::EventLoop* loop)
    : loop_(loop), clients_(static_cast<size_t>(count)) {
  for (size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].peer = std::make_unique<Peer>(loop, options, this, i);
    clients_[i].peer->Connect();
  }
  loop->RunEvery(kSendTick, [this] { SendDue(); });
}

void HonestCrowd::OnOpen(Peer* peer) {
  peer->SendText(AddGroup(GroupOf(peer->number()), R"("join")"));
}

void HonestCrowd::OnText(Peer* peer, absl::string_view head) {
  if (absl::StartsWith(head, R"({"event":"message")")) {
    OnMessage(peer->number(), head);
  } else if (absl::StartsWith(head, R"({"event":"reply","id":"join")")) {
    ++joined_;
  } else if (absl::StartsWith(head, R"({"event":"reply")")) {
    ++counts_.acknowledged;
  } else if (absl::StartsWith(head, R"({"event":"error")")) {
    ++counts_.refused;
  }
}

void HonestCrowd::OnClosed(Peer* /*peer*/, int /*code*/) { ++counts_.closed; }

void HonestCrowd::OnMessage(size_t member, absl::string_view head) {
  constexpr absl::string_view kBefore = R"("message":")";
  const size_t at = head.find(kBefore);
  if (at == absl::string_view::npos) throw Failure("a message event without a message");
  // "SENDER NUMBER DUE_NS padding"
  const std::vector<absl::string_view> words =
      absl::StrSplit(head.substr(at + kBefore.size()), absl::MaxSplits(' ', 3));
  size_t sender = 0;
  int64_t number = 0;
  int64_t due_ns = 0;
  if (words.size() != 4 || !absl::SimpleAtoi(words[0], &sender) ||
      !absl::SimpleAtoi(words[1], &number) || !absl::SimpleAtoi(words[2], &due_ns) ||
      sender / kMembers != member / kMembers) {
    throw Failure(absl::StrCat("a message that nobody sent: ", head));
  }
  int64_t& next = clients_[member].next[sender % kMembers];
  if (number < next) {
    ++counts_.repeated;
    return;
  }
  counts_.lost += number - next;
  next = number + 1;
  ++counts_.delivered;
  if (number % kLargeEvery != kLargeEvery - 1) latencies_.Record(MonotonicNs() - due_ns);
}

void HonestCrowd::Start() {
  sending_ = true;
  began_ns_ = MonotonicNs();
  due_ = 0;
}

void HonestCrowd::SendDue() {
  if (!sending_) return;
  const int64_t interval_ns = kSendIntervalNs / static_cast<int64_t>(clients_.size());
  const int64_t now_ns = MonotonicNs();
  for (; began_ns_ + due_ * interval_ns <= now_ns; ++due_) {
    SendOne(static_cast<size_t>(due_) % clients_.size(), began_ns_ + due_ * interval_ns);
  }
}

void HonestCrowd::SendOne(size_t index, int64_t due_ns) {
  Client& client = clients_[index];
  if (!client.peer->is_open() || !client.second_part.empty()) return;
  const int64_t number = client.sent++;
  ++counts_.sent;
  std::string text = absl::StrCat(index, " ", number, " ", due_ns, " ");
  const bool is_large = number % kLargeEvery == kLargeEvery - 1;
  text.append(is_large ? kLargeBytes : 100, 'h');
  const std::string frame =
      TextFrame(SendToGroup(GroupOf(index), Quoted(text), absl::StrCat(number)));
  if (!is_large) return client.peer->SendBytes(frame);
  client.peer->SendBytes(absl::string_view(frame).substr(0, frame.size() / 2));
  client.second_part = frame.substr(frame.size() / 2);
  loop_->RunAfter(kSecondPartAfter, [&client] {
    client.peer->SendBytes(std::exchange(client.second_part, std::string()));
  });
}

bool HonestCrowd::settled() const {
  for (size_t i = 0; i < clients_.size(); ++i) {
    const size_t first = i - i % kMembers;
    for (size_t sender = 0; sender < kMembers; ++sender) {
      if (clients_[i].next[sender] < clients_[first + sender].sent) return false;
    }
  }
  return counts_.acknowledged + counts_.refused == counts_.sent;
}

bench::LatencyHistogram HonestCrowd::TakeLatencies() {
  return std::exchange(latencies_, bench::LatencyHistogram());
}

Returner::Returner(const PeerOptions& options, service::EventLoop* loop)
    : loop_(loop),
      sender_(std::make_unique<Peer>(loop, options, this, 0)),
      member_(std::make_unique<Peer>(loop, options, this, 1)) {
  sender_->Connect();
}

void Returner::OnOpen(Peer* peer) {
  // The sender must be there first: the member asks it to send.
  if (peer == sender_.get()) return member_->Connect();
  peer->SendText(AddGroup(kQuietGroup, "1"));
}

void Returner::OnClosed(Peer* /*peer*/, int /*code*/) {
  if (!stopped_) ++losses_;
}

void Returner::OnText(Peer* peer, absl::string_view head) {
  if (peer == member_.get()) {
    OnEvent(head);
  } else if (absl::StartsWith(head, R"({"event":"reply")")) {
    // The missed message is acknowledged.
    loop_->RunAfter(
        kAway, [this] { member_->SendText(AddGroupSince(kQuietGroup, epoch_, offset_, "2")); });
  }
}

void Returner::OnEvent(absl::string_view head) {
  if (absl::StartsWith(head, R"({"event":"reply","id":1,)")) {
    constexpr absl::string_view kEpoch = R"("epoch":")";
    epoch_ = std::string(head.substr(head.find(kEpoch) + kEpoch.size(), 16));
    offset_ = NumberAfter(R"("offset":)", head);
    GoAway();
  } else if (absl::StartsWith(head, R"({"event":"reply","id":2,)")) {
    if (!absl::StrContains(head, R"("recovered":true)")) {
      // It begins again from the new head.
      ++losses_;
      offset_ = NumberAfter(R"("offset":)", head);
      GoAway();
    }
  } else if (absl::StartsWith(head, R"({"event":"reply","id":3,)")) {
    sender_->SendText(SendToGroup(kQuietGroup, R"("missed")", "1"));
  } else if (absl::StartsWith(head, R"({"event":"message")")) {
    offset_ = NumberAfter(R"("offset":)", head);
    ++returns_;
    GoAway();
  } else if (absl::StartsWith(head, R"({"event":"error")")) {
    ++losses_;
  }
}

void Returner::GoAway() {
  if (!stopped_) member_->SendText(LeaveGroup(kQuietGroup, "3"));
}

}  // namespace groupcast::tests
