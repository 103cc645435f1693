#include "services/channel/nats/publications.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/channel/nats/subject.h"

namespace groupcast::service {
namespace {

// What an entry takes besides its texts.
constexpr size_t kEntryBytes = 512;

}  // namespace

Publications::Publications(PublicationsOptions options, uint64_t publisher, NatsWriter* writer)
    : options_(std::move(options)), publisher_(publisher), writer_(writer) {}

size_t Publications::CostOf(const PublicationsSize& size) {
  return size.bytes + size.count * kEntryBytes;
}

size_t Publications::Entry::cost() const { return group_id.size() + body.size() + kEntryBytes; }

void Publications::Add(const Publication& publication, std::string body,
                       Channel::PublishCallback done, absl::Time now) {
  const uint64_t number = first_number_ + entries_.size();
  entries_.push_back(
      {.group_id = std::string(publication.group_id),
       .subject = absl::StrCat(options_.stream, ".g.", SubjectToken(publication.group_id)),
       .id = publication.key.empty()
                 ? absl::StrCat(absl::Hex(publisher_), "-", number)
                 : absl::StrCat(absl::Hex(publication.key.high, absl::kZeroPad16),
                                absl::Hex(publication.key.low, absl::kZeroPad16)),
       .body = std::move(body),
       .done = std::move(done),
       .deadline = now + options_.wait_max});
  bytes_ += entries_.back().cost();
  Send(now);
}

void Publications::Open(Epoch epoch, const std::string& inbox) {
  is_open_ = true;
  epoch_ = epoch;
  inbox_ = inbox;
  for (Entry& entry : entries_) entry.in_doubt |= std::exchange(entry.in_flight, false);
  next_ = 0;
  in_flight_ = 0;
}

void Publications::Close() { is_open_ = false; }

void Publications::Send(absl::Time now) {
  if (!is_open_) return;
  bool all_sent = true;
  for (size_t i = next_; i < entries_.size() && in_flight_ < options_.in_flight_max; ++i) {
    Entry& entry = entries_[i];
    if (!entry.resolved && !entry.in_flight && entry.send_at > now) all_sent = false;
    if (all_sent) next_ = i + 1;
    if (entry.resolved || entry.in_flight || entry.send_at > now) continue;
    if (std::exchange(entry.was_sent, true)) ++resends_;
    entry.in_flight = true;
    entry.sent_at = now;
    ++in_flight_;
    const std::array<std::pair<absl::string_view, absl::string_view>, 2> headers = {{
        {"Nats-Msg-Id", entry.id},
        {"Nats-Expected-Stream", options_.stream},
    }};
    writer_->Publish(entry.subject, absl::StrCat(inbox_, "p", first_number_ + i), headers,
                     entry.body);
  }
}

Publications::Entry* Publications::Find(uint64_t number) {
  if (number < first_number_ || number - first_number_ >= entries_.size()) return nullptr;
  return &entries_[number - first_number_];
}

void Publications::OnAnswer(uint64_t number, int nats_status, absl::string_view json,
                            absl::Time now) {
  Entry* const entry = Find(number);
  if (entry == nullptr || entry->resolved) return;
  absl::StatusOr<PublishAnswer> answer =
      nats_status == 0 ? ReadPublishAnswer(json)
                       : absl::UnavailableError("no server of the stream can be reached");
  if (answer.ok()) return Resolve(entry, Position{epoch_, answer->sequence});
  if (std::exchange(entry->in_flight, false)) --in_flight_;
  if (absl::IsUnavailable(answer.status())) {
    entry->send_at = now + options_.retry_after;
    next_ = 0;
    return;
  }
  GiveUp(entry, answer.status());
}

void Publications::Tick(absl::Time now) {
  for (Entry& entry : entries_) {
    if (entry.resolved) continue;
    if (now >= entry.deadline) {
      GiveUp(&entry, absl::UnavailableError("the stream did not take it in time"));
    } else if (entry.in_flight && now - entry.sent_at > options_.answer_timeout) {
      entry.in_flight = false;
      entry.in_doubt = true;
      --in_flight_;
      next_ = 0;
    }
  }
  Send(now);
}

void Publications::GiveUp(Entry* entry, const absl::Status& if_not_taken) {
  Resolve(entry, entry->in_doubt || entry->in_flight
                     ? absl::StatusOr<Position>(absl::UnknownError(
                           "the stream has not answered in time, and may have taken it"))
                     : if_not_taken);
}

void Publications::Resolve(Entry* entry, absl::StatusOr<Position> result) {
  if (std::exchange(entry->in_flight, false)) --in_flight_;
  entry->resolved = true;
  entry->result = std::move(result);
}

std::vector<Publications::Result> Publications::TakeResults() {
  std::vector<Result> results;
  while (!entries_.empty() && entries_.front().resolved) {
    Entry& entry = entries_.front();
    bytes_ -= entry.cost();
    results.push_back({.done = std::move(entry.done),
                       .position = std::move(entry.result),
                       .group_id = std::move(entry.group_id)});
    entries_.pop_front();
    ++first_number_;
    if (next_ > 0) --next_;
  }
  return results;
}

}  // namespace groupcast::service
