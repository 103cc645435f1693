#include "services/channel/window.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace groupcast::service {
namespace {

using channel::v1::Refusal;

constexpr size_t kEntryOverheadBytes = 128;

// The most that a frame has besides group id and data: NUL, header, key, and protobuf's bytes
// around data, time and session.
constexpr size_t kFrameOverheadBytesMax = 1 + kLiveHeaderBytes + kKeyBytes + 40;

absl::Status RefusalStatus(Refusal::Reason reason) {
  switch (reason) {
    case Refusal::TOO_LARGE:
      return absl::ResourceExhaustedError("larger than the channel takes");
    case Refusal::UNAVAILABLE:
      return absl::UnavailableError("the channel server could not write its log");
    case Refusal::VOID:
    case Refusal::FORGOTTEN:
      return absl::UnknownError("the channel server does not know any more what became of it");
    default:
      return absl::InternalError("the channel server could not read the publication");
  }
}

}  // namespace

size_t Window::CostOf(const PublicationsSize& size) {
  return size.bytes + size.count * (kFrameOverheadBytesMax + kEntryOverheadBytes);
}

size_t Window::Cost(const Entry& entry) const { return entry.frame.size() + kEntryOverheadBytes; }

void Window::Add(std::string frame, size_t group_id_bytes, Channel::PublishCallback done,
                 absl::Time now) {
  entries_.push_back({.frame = std::move(frame),
                      .group_id_bytes = group_id_bytes,
                      .done = std::move(done),
                      .deadline = now + options_.wait_max});
  bytes_ += Cost(entries_.back());
}

void Window::Send(const std::function<void(absl::string_view frame)>& send) {
  for (; sent_ < entries_.size(); ++sent_) {
    Entry& entry = entries_[sent_];
    PatchNumber(absl::MakeSpan(entry.frame), entry.group_id_bytes, first_number_ + sent_,
                first_number_);
    if (sent_ == numbered_) ++numbered_;
    send(entry.frame);
  }
}

void Window::OnResults(const channel::v1::Acknowledgement& results, Answers* answers) {
  const Epoch epoch{results.epoch()};
  int next_refusal = 0;
  for (int i = 0; i < results.offsets_size(); ++i) {
    const uint64_t number = results.first_number() + static_cast<uint64_t>(i);
    if (const uint64_t offset = results.offsets(i); offset != 0) {
      Resolve(number, Position{epoch, offset}, answers);
      continue;
    }
    while (next_refusal < results.refusals_size() &&
           results.refusals(next_refusal).number() < number) {
      ++next_refusal;
    }
    const bool has_reason =
        next_refusal < results.refusals_size() && results.refusals(next_refusal).number() == number;
    Resolve(
        number,
        RefusalStatus(has_reason ? results.refusals(next_refusal).reason() : Refusal::UNSPECIFIED),
        answers);
  }
}

void Window::OnAccepted(uint64_t number, Answers* answers) {
  while (numbered_ > 0 && first_number_ <= number) {
    Resolve(first_number_, RefusalStatus(Refusal::FORGOTTEN), answers);
  }
  if (numbered_ == 0 && first_number_ <= number) first_number_ = number + 1;
}

void Window::DoubtSent() {
  for (size_t i = 0; i < numbered_; ++i) entries_[i].in_doubt = true;
}

void Window::Resolve(uint64_t number, absl::StatusOr<Position> result, Answers* answers) {
  // A number below the first one is far above it in this arithmetic.
  if (number - first_number_ >= numbered_) return;
  Entry& entry = entries_[number - first_number_];
  entry.resolved = true;
  if (entry.in_doubt && absl::IsUnavailable(result.status())) {
    result = absl::UnknownError("the channel server refused it, but may have taken it before");
  }
  if (entry.done) answers->push_back({std::exchange(entry.done, nullptr), std::move(result)});
  if (number != first_number_) MakeVoid(&entry);
  while (numbered_ > 0 && entries_.front().resolved) {
    bytes_ -= Cost(entries_.front());
    entries_.pop_front();
    ++first_number_;
    --numbered_;
    if (sent_ > 0) --sent_;
    if (expired_ > 0) --expired_;
  }
}

// The entry now only keeps its number's place. If the window sends it again to a server that does
// not know it, the server must not publish it again.
void Window::MakeVoid(Entry* entry) {
  bytes_ -= Cost(*entry);
  const absl::StatusOr<LiveFrame> parsed = ParseLiveFrame(entry->frame);
  entry->frame = LiveFramePrefix(parsed->group_id, {.kind = LiveKind::kVoid,
                                                    .publisher = parsed->header.publisher,
                                                    .number = parsed->header.number});
  bytes_ += Cost(*entry);
}

void Window::Expire(absl::Time now, Answers* answers) {
  for (; expired_ < numbered_ && entries_[expired_].deadline <= now; ++expired_) {
    Entry& entry = entries_[expired_];
    if (!entry.done) continue;  // it has its result
    answers->push_back({std::exchange(entry.done, nullptr),
                        absl::UnknownError("the channel server did not answer in time")});
    MakeVoid(&entry);
  }
  size_t end = numbered_;
  for (; end < entries_.size() && entries_[end].deadline <= now; ++end) {
    answers->push_back({std::move(entries_[end].done),
                        absl::UnavailableError("the channel server could not be reached in time")});
    bytes_ -= Cost(entries_[end]);
  }
  entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(numbered_),
                 entries_.begin() + static_cast<ptrdiff_t>(end));
}

void Window::GiveUpLarger(size_t message_bytes_max, Answers* answers) {
  const auto is_larger = [&](const Entry& entry) {
    return ParseLiveFrame(entry.frame)->body.size() > message_bytes_max + kContentOverheadBytes;
  };
  const absl::Status too_large = absl::ResourceExhaustedError(
      absl::StrCat("the channel now takes messages of up to ", message_bytes_max, " bytes"));
  const absl::Status in_doubt =
      absl::UnknownError(absl::StrCat(too_large.message(), ", but may have taken this one before"));
  for (size_t i = 0; i < numbered_; ++i) {
    Entry& entry = entries_[i];
    if (!entry.done || !is_larger(entry)) continue;
    answers->push_back({std::exchange(entry.done, nullptr), entry.in_doubt ? in_doubt : too_large});
    MakeVoid(&entry);
  }
  const auto unnumbered = entries_.begin() + static_cast<ptrdiff_t>(numbered_);
  const auto give_up = [&](Entry& entry) {
    if (!is_larger(entry)) return false;
    answers->push_back({std::move(entry.done), too_large});
    bytes_ -= Cost(entry);
    return true;
  };
  entries_.erase(std::remove_if(unnumbered, entries_.end(), give_up), entries_.end());
}

}  // namespace groupcast::service
