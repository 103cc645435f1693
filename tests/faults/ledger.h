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

// A client as seen by one of its groups: the member, and the sender, which need not be a member.
struct Place {
  int group = 0;
  int client = 0;
};

// What became of a send.
struct Answer {
  enum class Kind {
    kAcknowledged,  // at `offset`
    kUnknown,       // may have been delivered, once at most
    kNotDone,       // the application may send it again: was not delivered, and never will be
  };
  Kind kind = Kind::kNotDone;
  uint64_t offset = 0;
};

// The judge: is told of every send, answer, membership and delivery as it happens, and finds what
// was lost, doubled or delivered in another order than to others.
//
// It compares what members got with each other: each message that any member of a group got, at its
// offset, must have been got there by every member whose membership began before that offset, once,
// in the order of the offsets. What a member skips is lost to it at once. Acknowledgements add what
// nobody got.
//
// Of each group it keeps the newest `kKeptMessages`, and of each sender what is not yet both
// answered and delivered, so a run may take any time.
//
// Thread-safe; calls for different groups do not wait for each other.
class Ledger {
 public:
  // Far more than a group has within the server's retention.
  static constexpr size_t kKeptMessages = 50'000;
  static constexpr size_t kFindingsMax = 20;

  struct Counts {
    int64_t sent = 0;
    int64_t acknowledged = 0;
    int64_t unknown = 0;
    int64_t not_done = 0;
    int64_t unanswered = 0;
    int64_t deliveries = 0;
    int64_t lost = 0;       // messages, times the members that did not get them
    int64_t doubled = 0;    // to a member, or in the group's order
    int64_t reordered = 0;  // another order, or another message, than others got
    int64_t gaps = 0;       // that members were told of

    bool Clean() const { return lost == 0 && doubled == 0 && reordered == 0 && unanswered == 0; }
  };

  Ledger(int groups, int clients);

  // A send begins; the number of the message among the sender's in this group, from 0.
  uint64_t Send(Place sender);
  // Once for each send.
  void Answered(Place sender, uint64_t number, Answer answer);

  // A membership is asked for, with a number of its own. What is said of an earlier one of the same
  // place from now on is ignored: a callback may still have been running when it ended.
  uint64_t Join(Place member);
  // As Join, of one that goes on after `since`, which was its position.
  uint64_t JoinSince(Place member, uint64_t since);
  // The membership has begun, or goes on after a reconnect, and delivery begins after `offset`.
  void Joined(Place member, uint64_t membership, uint64_t offset);
  void Delivered(Place member, uint64_t membership, int sender, uint64_t number, uint64_t offset);
  // The member was told that messages are lost, and is at `offset` now.
  void GapTold(Place member, uint64_t membership, uint64_t offset);
  // The membership ends; returns where it stood.
  uint64_t Leave(Place member);

  // Whether every member that asked has joined.
  bool AllJoined() const;
  // Whether every send was answered, and every member stands at the end of what its group is known
  // to have.
  bool Settled() const;
  // What was found so far.
  Counts Now() const;
  // What was found in all: what members do not have by now is lost. To be called once, at the end.
  Counts Judge();
  // The first things that were found, in words.
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
    uint64_t begin = 0;     // it must get what comes after this
    uint64_t position = 0;  // the newest it got
  };
  struct Sent {
    bool answered = false;
    bool delivered = false;
    Answer answer;
    uint64_t delivered_offset = 0;
    // The sender was a member, from here, when it sent.
    bool as_member = false;
    uint64_t begin = 0;
  };
  // What one client sent to one group. Those that are both answered and delivered leave at the
  // front; so do those that are answered and may never be delivered, which are remembered apart.
  struct Sends {
    uint64_t first = 0;
    std::deque<Sent> open;
    std::map<uint64_t, Answer::Kind> undelivered;
  };
  struct Group {
    mutable std::mutex mutex;
    std::deque<Entry> order;                  // what members got, by offset
    uint64_t forgotten = 0;                   // offsets up to this have left `order`
    uint64_t acknowledged = 0;                // the highest offset of an acknowledgement
    std::map<uint64_t, Message> undelivered;  // acknowledged, and nobody got it yet
    std::vector<Member> members;
    std::vector<Sends> sends;
    Counts counts;
    int64_t open_sends = 0;
  };

  Group& GroupOf(Place place) { return groups_[static_cast<size_t>(place.group)]; }
  // These need the group's lock.
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
