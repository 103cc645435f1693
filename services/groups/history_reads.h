#ifndef GROUPCAST_SERVICES_GROUPS_HISTORY_READS_H_
#define GROUPCAST_SERVICES_GROUPS_HISTORY_READS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "boost/intrusive/list.hpp"
#include "boost/intrusive/set.hpp"
#include "services/channel/channel.h"
#include "services/common/shared_bytes.h"
#include "services/groups/member.h"
#include "services/protocol/command.h"

namespace groupcast::service {

struct HistoryReadsOptions {
  // The bound of the bytes of messages in one reply. A single message may be larger.
  size_t reply_bytes_max = 256u << 10;

  // The bound of the questions to the channel that are under way.
  size_t asked_max = 4;

  // The bytes of replies in one turn of the worker. One more reply may exceed it.
  size_t turn_bytes = 256u << 10;

  // While answers of this size wait for their turn, a question is asked only if its reader comes
  // before all of theirs.
  size_t answers_bytes_max = 8u << 20;

  // The bound of the replies that are kept for the next readers.
  size_t kept_bytes_max = 8u << 20;
};

// The reads of history (group_history) of a worker's members. They must cost their readers, and
// nobody else:
//
//   - A member has one read at a time; its later commands wait.
//   - Readers are served in the order of the bytes that they have got. A reader begins where the
//     last one that was served stood, so waiting saves nothing up. After a large reply it waits
//     while others read as much, and one that reads little hardly waits. (This is start-time fair
//     queueing.)
//   - Equal reads that wait share one question, one answer and one rendering. A read does not join
//     a question that was asked before it: the answer might not have its reader's own last send.
//   - A reply whose history is the same as before is not rendered again. The replies that were used
//     last are kept, up to kept_bytes_max.
//   - A turn of the worker has a budget for replies, and few questions are under way, so that
//     messages, acknowledgements and digests come between.
//
// Bounds: one entry for each member; asked_max answers of the channel beyond answers_bytes_max.
//
// Logic only. Not thread-safe. It resumes its members' commands, which may read again.
class HistoryReads {
 public:
  // Answers a member's command with the error.
  using Refuse = std::function<void(Member*, const absl::Status&, const std::string& command_id)>;

  HistoryReads(const HistoryReadsOptions& options, Refuse refuse)
      : options_(options), refuse_(std::move(refuse)), turn_left_(options.turn_bytes) {}
  HistoryReads(const HistoryReads&) = delete;
  HistoryReads& operator=(const HistoryReads&) = delete;

  void SetChannel(Channel* channel) { channel_ = channel; }

  // Executes a group_history with an id. The member's pending_answers counts it until its answer.
  // The member must not have another read.
  void Read(Member* member, const Command& command);

  // The connection has ended.
  void Drop(Member* member);

  // Answers all reads with the error, in the order of their arrival.
  void RefuseAll(const absl::Status& why);

  // Sends replies within the turn's budget, and begins the next turn's. The worker calls it once
  // per turn. Returns whether replies wait for the next turn.
  bool ServeTurn();

  size_t reads() const { return reads_.size(); }
  size_t kept_bytes() const { return kept_bytes_; }
  // The number of replies that were rendered since the start.
  uint64_t renderings() const { return renderings_; }

 private:
  // A reader's start on the scale of bytes, and the order of arrival.
  using Place = std::pair<uint64_t, uint64_t>;
  // Group id; the epoch and offset of `since`, if there is one; limit.
  using Key = std::tuple<std::string, bool, Epoch, uint64_t, uint32_t>;
  using AutoUnlink = boost::intrusive::link_mode<boost::intrusive::auto_unlink>;

  struct Question;
  struct ReadState : boost::intrusive::list_base_hook<AutoUnlink>,
                     boost::intrusive::set_base_hook<AutoUnlink> {
    Member* member = nullptr;
    std::string command_id;
    Place place;
    std::shared_ptr<Question> question;
  };
  struct ByPlace {
    bool operator()(const ReadState& a, const ReadState& b) const { return a.place < b.place; }
  };
  using ReadList = boost::intrusive::list<ReadState, boost::intrusive::constant_time_size<false>>;
  using ReadSet = boost::intrusive::set<ReadState, boost::intrusive::compare<ByPlace>,
                                        boost::intrusive::constant_time_size<false>>;

  // What equal reads ask, and the answer.
  struct Question {
    std::string group_id;
    std::optional<Position> since;
    uint32_t limit = 0;
    Place place;          // of its first reader
    size_t unserved = 0;  // reads
    ReadList readers;     // until the answer
    absl::StatusOr<History> history = absl::UnknownError("no answer yet");
    size_t bytes = 0;  // of the answer, while it is in answers_bytes_
    // The reply for each kind of reader: first for those that see all messages, then for sessions
    // that some message excludes.
    std::vector<std::pair<Fingerprint, SharedBytes>> bodies;

    Key key() const;
  };
  struct Kept {
    Key key;
    Position head;
    uint64_t floor;
    uint64_t begin;  // before the first message
    SharedBytes body;
    size_t cost() const { return body.size() + 512; }  // with its entries here
  };

  void Ask();
  void OnAnswer(const std::shared_ptr<Question>& question, absl::StatusOr<History> history);
  void Serve();
  // Sends the reply or the error. Returns the bytes.
  size_t Answer(const ReadState& read);
  const SharedBytes& BodyFor(Question* question, const Fingerprint& session);
  SharedBytes Render(const Question& question, const Fingerprint& session);
  void Release(Question* question);

  const HistoryReadsOptions options_;
  const Refuse refuse_;
  Channel* channel_ = nullptr;

  uint64_t served_up_to_ = 0;  // the place of the last reader that was served
  uint64_t next_number_ = 1;
  std::map<Place, std::shared_ptr<Question>> waiting_;  // to be asked
  absl::flat_hash_map<Key, Question*> waiting_by_key_;
  size_t asked_ = 0;
  ReadSet ready_;             // with an answer
  size_t answers_bytes_ = 0;  // of the answers of ready_
  size_t turn_left_;
  absl::flat_hash_map<Member*, std::unique_ptr<ReadState>> reads_;

  std::list<Kept> kept_;  // the one that was used last is first
  absl::flat_hash_map<Key, std::list<Kept>::iterator> kept_by_key_;
  size_t kept_bytes_ = 0;
  uint64_t renderings_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_HISTORY_READS_H_
