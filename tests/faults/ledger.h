#ifndef GROUPCAST_TESTS_FAULTS_LEDGER_H_
#define GROUPCAST_TESTS_FAULTS_LEDGER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace groupcast::tests {

// A client in one group: the member, and the sender, which need not be a member.
struct Place {
  int group = 0;
  int client = 0;
};

// The result of a send.
struct Answer {
  enum class Kind {
    kAcknowledged,  // at `offset`
    kUnknown,       // it may have been delivered, once at most
    kNotDone,       // it was not delivered and never will be; the application may send again
  };
  Kind kind = Kind::kNotDone;
  uint64_t offset = 0;
};

// The judge. Tests report every send, answer, membership and delivery to it as it happens. It finds
// the lost and the doubled messages, and those that came in another order than to others.
//
// It compares the members of a group with each other. If any member received a message at an
// offset, every member that began before that offset must have received it there. Each gets it
// once, in the order of the offsets. A message that a member skips is lost to it at once.
// Acknowledgements add the messages that no member received.
//
// It keeps the newest `kKeptMessages` of each group. Of each sender it keeps the sends that are not
// yet both answered and delivered. So a run may take any time.
//
// Thread-safe; calls for different groups do not wait for each other.
class Ledger {
 public:
  // Far more messages than a group has within the server's retention.
  static constexpr size_t kKeptMessages = 50'000;
  static constexpr size_t kFindingsMax = 20;

  struct Counts {
    int64_t sent = 0;
    int64_t acknowledged = 0;
    int64_t unknown = 0;
    int64_t not_done = 0;
    int64_t unanswered = 0;
    int64_t deliveries = 0;
    int64_t lost = 0;       // messages, times the members that missed them
    int64_t doubled = 0;    // to a member, or in the group's order
    int64_t reordered = 0;  // another order, or another message, than at others
    int64_t gaps = 0;       // reported to members

    bool Clean() const { return lost == 0 && doubled == 0 && reordered == 0 && unanswered == 0; }
  };

  Ledger(int groups, int clients);

  // A send begins. Returns the number of the message among the sender's in this group, from 0.
  uint64_t Send(Place sender);
  // Once for each send.
  void Answered(Place sender, uint64_t number, Answer answer);

  // A client asks for a membership, which gets a number of its own. From now on the ledger ignores
  // reports about an earlier membership of the same place. A callback of that one may still be
  // running after its end.
  uint64_t Join(Place member);
  // As Join, for a membership that continues after `since`, which was its position.
  uint64_t JoinSince(Place member, uint64_t since);
  // The membership begins, or continues after a reconnect, and delivery begins after `offset`.
  void Joined(Place member, uint64_t membership, uint64_t offset);
  void Delivered(Place member, uint64_t membership, int sender, uint64_t number, uint64_t offset);
  // A gap was reported to the member, and its position is `offset` now.
  void GapTold(Place member, uint64_t membership, uint64_t offset);
  // The membership ends. Returns its last position.
  uint64_t Leave(Place member);

  // Whether every client that asked for a membership has joined.
  bool AllJoined() const;
  // Whether every send was answered, and every member is at the end of its group's known messages.
  bool Settled() const;
  // The results so far.
  Counts Now() const;
  // The final results: messages that members do not have by now are lost. Call it once, at the end.
  Counts Judge();
  // The first problems, in words.
  std::vector<std::string> Findings() const;

 private:
  struct Message {
    int sender = 0;
    uint64_t number = 0;
    friend bool operator==(const Message&, const Message&) = default;
  };
  struct Entry {
    uint64_t offset = 0;
    Message message;
  };
  struct Member {
    uint64_t membership = 0;
    bool asked = false;
    bool joined = false;
    bool since = false;
    uint64_t begin = 0;     // it must get the messages after this
    uint64_t position = 0;  // its newest message
  };
  struct Sent {
    bool answered = false;
    bool delivered = false;
    Answer answer;
    uint64_t delivered_offset = 0;
    // The sender was a member, from `begin` on, when it sent.
    bool as_member = false;
    uint64_t begin = 0;
  };
  // The sends of one client to one group. Sends that are both answered and delivered leave at the
  // front. Answered sends that may never be delivered leave too, and stay in `undelivered`.
  struct Sends {
    uint64_t first = 0;
    std::deque<Sent> open;
    std::map<uint64_t, Answer::Kind> undelivered;
  };
  struct Group {
    mutable std::mutex mutex;
    std::deque<Entry> order;                  // delivered messages, by offset
    uint64_t forgotten = 0;                   // offsets up to this have left `order`
    uint64_t acknowledged = 0;                // the highest offset of an acknowledgement
    std::map<uint64_t, Message> undelivered;  // acknowledged, not yet delivered
    std::vector<Member> members;
    std::vector<Sends> sends;
    Counts counts;
    int64_t open_sends = 0;
  };

  Group& GroupOf(Place place) { return groups_[static_cast<size_t>(place.group)]; }
  // The following functions need the group's lock.
  std::deque<Entry>::iterator After(Group* group, uint64_t offset);
  void Appear(Place where, const Entry& entry, std::deque<Entry>::iterator before);
  void NoteDelivery(Place where, const Entry& entry);
  static void TakeClosed(Sends* sends);
  void Lost(Place member, uint64_t offset, const char* how);
  void Doubled(Place place, uint64_t offset, const char* how);
  void Reordered(Place place, uint64_t offset, const char* how);
  void Find(const char* what, Place place, uint64_t offset, const char* how);

  std::vector<Group> groups_;
  mutable std::mutex findings_mutex_;
  std::vector<std::string> findings_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_LEDGER_H_
