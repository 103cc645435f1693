#include "services/groups/history_reads.h"

#include <algorithm>

#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

// The cost of a read besides the bytes of its reply: the command, the question and the answer.
constexpr size_t kReadOverheadBytes = 512;

size_t BytesOf(const absl::StatusOr<History>& history) {
  size_t bytes = 0;
  if (!history.ok()) return bytes;
  for (const History::Entry& entry : history->messages) {
    bytes += sizeof(entry) + entry.data.size() + entry.from.size();
  }
  return bytes;
}

bool Excludes(const History& history, const Fingerprint& session) {
  return std::any_of(history.messages.begin(), history.messages.end(),
                     [&](const auto& entry) { return entry.excluded_session == session; });
}

bool ExcludesAnybody(const History& history) {
  return std::any_of(history.messages.begin(), history.messages.end(),
                     [](const auto& entry) { return !entry.excluded_session.empty(); });
}

}  // namespace

HistoryReads::Key HistoryReads::Question::key() const {
  const Position position = since.value_or(Position{});
  return {group_id, since.has_value(), position.epoch, position.offset, limit};
}

void HistoryReads::Read(Member* member, const Command& command) {
  auto read = std::make_unique<ReadState>();
  read->member = member;
  read->command_id = command.id;
  read->place = {std::max(served_up_to_, member->read_bytes), next_number_++};
  auto question = std::make_shared<Question>();
  question->group_id = command.group_ids.front().id;
  question->since = command.since;
  question->limit = command.history;
  question->place = read->place;
  const auto [known, is_new] = waiting_by_key_.try_emplace(question->key(), question.get());
  if (is_new) {
    waiting_.emplace(question->place, question);
  } else if (const Place old = known->second->place; read->place < old) {
    auto node = waiting_.extract(old);
    node.key() = node.mapped()->place = read->place;
    question = waiting_.insert(std::move(node)).position->second;
  } else {
    question = waiting_.find(old)->second;
  }
  ++question->unserved;
  question->readers.push_back(*read);
  read->question = std::move(question);
  ++member->pending_answers;
  reads_.emplace(member, std::move(read));
  Ask();
}

void HistoryReads::Drop(Member* member) {
  auto node = reads_.extract(member);
  if (node.empty()) return;
  const std::shared_ptr<Question> question = node.mapped()->question;
  node.mapped().reset();
  Release(question.get());
}

void HistoryReads::RefuseAll(const absl::Status& why) {
  std::vector<const ReadState*> reads;
  for (const auto& [member, read] : reads_) reads.push_back(read.get());
  std::ranges::sort(reads, {}, [](const ReadState* read) { return read->place.second; });
  std::vector<Member*> readers;
  for (const ReadState* read : reads) {
    Member* const reader = read->member;
    refuse_(reader, why, read->command_id);
    Drop(reader);
    --reader->pending_answers;
    readers.push_back(reader);
  }
  // Last, because resumed commands may read again.
  for (Member* reader : readers) {
    if (reader->pending_answers == 0) reader->ResumeCommands();
  }
}

// One read less has the question.
void HistoryReads::Release(Question* question) {
  if (--question->unserved > 0) return;
  answers_bytes_ -= question->bytes;
  const auto waiting = waiting_.find(question->place);
  if (waiting == waiting_.end()) return;
  waiting_by_key_.erase(question->key());
  waiting_.erase(waiting);
}

void HistoryReads::Ask() {
  while (asked_ < options_.asked_max && !waiting_.empty()) {
    const auto first = waiting_.begin();
    if (answers_bytes_ >= options_.answers_bytes_max && !ready_.empty() &&
        ready_.begin()->place < first->first) {
      return;
    }
    const std::shared_ptr<Question> question = std::move(first->second);
    waiting_.erase(first);
    waiting_by_key_.erase(question->key());
    ++asked_;
    channel_->FetchHistory(question->group_id, question->since.value_or(Position{}),
                           question->limit, [this, question](absl::StatusOr<History> history) {
                             OnAnswer(question, std::move(history));
                           });
  }
}

void HistoryReads::OnAnswer(const std::shared_ptr<Question>& question,
                            absl::StatusOr<History> history) {
  --asked_;
  if (question->unserved > 0) {
    question->history = std::move(history);
    question->bytes = BytesOf(question->history);
    answers_bytes_ += question->bytes;
    while (!question->readers.empty()) {
      ReadState& read = question->readers.front();
      question->readers.pop_front();
      ready_.insert(read);
    }
  }
  Serve();
}

bool HistoryReads::ServeTurn() {
  Serve();
  turn_left_ = options_.turn_bytes;
  return !ready_.empty();
}

void HistoryReads::Serve() {
  while (turn_left_ > 0 && !ready_.empty()) {
    Member* const member = ready_.begin()->member;
    const std::unique_ptr<ReadState> read = std::move(reads_.extract(member).mapped());
    ready_.erase(ready_.begin());
    const size_t cost = Answer(*read) + kReadOverheadBytes;
    turn_left_ -= std::min(turn_left_, cost);
    served_up_to_ = std::max(served_up_to_, read->place.first);
    member->read_bytes = read->place.first + cost;
    Release(read->question.get());
    if (--member->pending_answers == 0) member->ResumeCommands();
  }
  Ask();
}

size_t HistoryReads::Answer(const ReadState& read) {
  Question& question = *read.question;
  if (!question.history.ok()) {
    refuse_(read.member, question.history.status(), read.command_id);
    return 0;
  }
  const SharedBytes& body = BodyFor(&question, read.member->session());
  read.member->Reply(HistoryReplyHead(read.command_id), body.bytes(), TrafficClass::kBulk);
  return body.size();
}

const SharedBytes& HistoryReads::BodyFor(Question* question, const Fingerprint& session) {
  const History& history = *question->history;
  const Fingerprint kind = Excludes(history, session) ? session : Fingerprint{};
  for (const auto& [its_kind, body] : question->bodies) {
    if (its_kind == kind) return body;
  }
  question->bodies.emplace_back(kind, Render(*question, kind));
  const SharedBytes& body = question->bodies.back().second;
  question->bytes += body.size();
  answers_bytes_ += body.size();
  return body;
}

// A reply with excluded messages is rare, and is not kept.
SharedBytes HistoryReads::Render(const Question& question, const Fingerprint& session) {
  const History& history = *question.history;
  const auto render = [&] {
    ++renderings_;
    return SharedBytes::Copy(HistoryReplyBody(question.group_id, question.since, history, session,
                                              options_.reply_bytes_max));
  };
  if (ExcludesAnybody(history)) return render();
  const Key key = question.key();
  const uint64_t begin =
      history.messages.empty() ? history.head.offset : history.messages.front().previous;
  if (const auto found = kept_by_key_.find(key); found != kept_by_key_.end()) {
    const auto kept = found->second;
    if (kept->head == history.head && kept->floor == history.floor && kept->begin == begin) {
      kept_.splice(kept_.begin(), kept_, kept);
      return kept->body;
    }
    kept_bytes_ -= kept->cost();
    kept_.erase(kept);
  }
  SharedBytes body = render();
  kept_.push_front(
      {.key = key, .head = history.head, .floor = history.floor, .begin = begin, .body = body});
  kept_by_key_[key] = kept_.begin();
  kept_bytes_ += kept_.front().cost();
  while (kept_bytes_ > options_.kept_bytes_max) {
    kept_bytes_ -= kept_.back().cost();
    kept_by_key_.erase(kept_.back().key);
    kept_.pop_back();
  }
  return body;
}

}  // namespace groupcast::service
