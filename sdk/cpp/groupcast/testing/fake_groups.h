#ifndef SDK_CPP_GROUPCAST_TESTING_FAKE_GROUPS_H_
#define SDK_CPP_GROUPCAST_TESTING_FAKE_GROUPS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/testing/server_frames.h"
#include "groupcast/types.h"

namespace groupcast {

// The groups of FakeServer: commands of connections become frames to connections. It knows no
// sockets. Not thread-safe.
class FakeGroups {
 public:
  // The bounds. A group keeps its newest messages. Over the others, a command is refused with
  // too_many_groups or unavailable.
  static constexpr size_t kMessagesMax = 1000;
  static constexpr size_t kGroupsMax = 10'000;
  static constexpr size_t kHeldMax = 10'000;

  struct Frame {
    uint64_t connection = 0;
    std::string text;
  };

  FakeGroups();

  // `connection` is unique over the life of this object.
  void Connect(uint64_t connection, absl::string_view session, absl::Time now);
  void Disconnect(uint64_t connection);
  // `frame` is a command of a connection. False: it is none, so the connection must be closed.
  bool OnFrame(uint64_t connection, absl::string_view frame, absl::Time now);
  // `json` is valid.
  Position Publish(absl::string_view group_id, absl::string_view json, absl::Time now);

  // The frames that are to be written, in their order, since the last call.
  std::vector<Frame> TakeFrames();

  // The kept messages, oldest first.
  std::vector<Message> Messages(absl::string_view group_id) const;
  size_t MemberCount(absl::string_view group_id) const;

  void FailNext(absl::string_view cmd, absl::string_view word, bool retry);
  void HoldReplies() { hold_ = true; }
  void ReleaseReplies();
  void ForgetMessages();

 private:
  struct Entry {
    std::string json;
    uint64_t offset = 0;
    uint64_t previous = 0;
    int64_t sent_at_ms = 0;
    std::string session;
    std::string key;  // Of the session; empty if there is none.
    bool excluded = false;
  };
  struct Group {
    // Whatever was before this offset is not kept.
    uint64_t floor = 0;
    uint64_t head = 0;
    std::deque<Entry> entries;
    // The connections, and whether they want to know who comes and goes.
    std::map<uint64_t, bool> members;
  };
  struct Connection {
    std::string session;
    std::string id;
    int64_t since_seconds = 0;
  };
  struct Failure {
    std::string cmd;
    std::string word;
    bool retry = false;
  };

  bool FailIfAsked(uint64_t connection, const ReceivedCommand& command);
  void Join(uint64_t connection, const ReceivedCommand& command);
  void Leave(uint64_t connection, absl::string_view group_id);
  void Send(uint64_t connection, const ReceivedCommand& command, absl::Time now);
  void History(uint64_t connection, const ReceivedCommand& command);
  void Members(uint64_t connection, const ReceivedCommand& command);
  Position Append(absl::string_view group_id, Entry entry, absl::Time now);
  // Null: there are too many groups.
  Group* FindOrCreate(absl::string_view group_id);
  bool Covers(const Group& group, const Position& position) const;
  std::string EntryFields(const Entry& entry, uint64_t connection) const;
  std::string MemberFields(uint64_t connection) const;
  void TellMembers(const Group& group, absl::string_view group_id, absl::string_view event,
                   uint64_t connection);
  void Write(uint64_t connection, std::string text);
  void Refuse(uint64_t connection, const ReceivedCommand& command, absl::string_view word,
              bool retry);

  std::string epoch_;
  uint64_t last_offset_ = 0;
  std::map<std::string, Group, std::less<>> groups_;
  std::map<uint64_t, Connection> connections_;
  std::deque<Failure> failures_;
  bool hold_ = false;
  std::vector<Frame> held_;
  std::vector<Frame> frames_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TESTING_FAKE_GROUPS_H_
