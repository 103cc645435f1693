#include "services/channel/nats/history_read.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/channel/nats/subject.h"

namespace groupcast::service {
namespace {

constexpr size_t kEntryBytes = 64;

}  // namespace

HistoryRead::HistoryRead(const Bounds& bounds, const std::string& stream,
                         absl::string_view group_id, const Position& after, uint32_t newest,
                         Epoch epoch)
    : bounds_(bounds),
      stream_(stream),
      subject_(absl::StrCat(stream, ".g.", SubjectToken(group_id))),
      newest_(newest),
      after_(after.epoch == epoch ? after.offset : 0),
      head_{epoch, 0} {}

HistoryRead::Request HistoryRead::next_request() const {
  const std::string message = absl::StrCat("$JS.API.STREAM.MSG.GET.", stream_);
  switch (step_) {
    case Step::kState:
      return {absl::StrCat("$JS.API.STREAM.INFO.", stream_), StreamStateRequest(subject_)};
    case Step::kHead:
      return {message, LastMessageRequest(subject_)};
    case Step::kFloor:
      return {message, FirstMessageRequest(subject_, 1)};
    default:
      return {message, FirstMessageRequest(subject_, read_up_to_ + 1)};
  }
}

absl::Status HistoryRead::OnAnswer(absl::string_view json) {
  switch (step_) {
    case Step::kState:
      return OnState(json);
    case Step::kHead:
      return OnHead(json);
    default:
      return OnMessage(json);
  }
}

absl::Status HistoryRead::OnState(absl::string_view json) {
  const absl::StatusOr<StreamInfo> info = ReadStreamInfo(json);
  if (!info.ok()) return info.status();
  last_sequence_ = info->last_sequence;
  floor_ = info->first_sequence == 0 ? 0 : info->first_sequence - 1;
  has_marker_ = info->messages_of_subjects > bounds_.messages_per_group_max;
  step_ = Step::kHead;
  return absl::OkStatus();
}

absl::Status HistoryRead::OnHead(absl::string_view json) {
  const absl::StatusOr<StoredMessage> message = ReadStoredMessage(json);
  if (absl::IsNotFound(message.status())) {
    // It had none when the stream ended there.
    head_.offset = last_sequence_;
    step_ = Step::kDone;
    return absl::OkStatus();
  }
  if (!message.ok()) return message.status();
  head_.offset = message->sequence;
  if (has_marker_) {
    step_ = Step::kFloor;
  } else {
    BeginMessages();
  }
  return absl::OkStatus();
}

void HistoryRead::BeginMessages() {
  read_up_to_ = std::max(after_, floor_);
  step_ = read_up_to_ >= head_.offset ? Step::kDone : Step::kMessages;
}

absl::Status HistoryRead::OnMessage(absl::string_view json) {
  absl::StatusOr<StoredMessage> message = ReadStoredMessage(json);
  if (absl::IsNotFound(message.status())) {
    step_ = Step::kDone;
    return absl::OkStatus();
  }
  if (!message.ok()) return message.status();
  if (step_ == Step::kFloor) {
    floor_ = std::max(floor_, message->sequence);
    BeginMessages();
    return absl::OkStatus();
  }
  const size_t bytes = message->data.size() + kEntryBytes;
  if (newest_ == 0 && !entries_.empty() && bytes_ + bytes > bounds_.answer_bytes_max) {
    step_ = Step::kDone;
    return absl::OkStatus();
  }
  entries_.push_back(
      {.offset = message->sequence, .previous = read_up_to_, .body = std::move(message->data)});
  bytes_ += bytes;
  while (newest_ > 0 && entries_.size() > 1 &&
         (entries_.size() > newest_ || bytes_ > bounds_.answer_bytes_max)) {
    bytes_ -= entries_.front().body.size() + kEntryBytes;
    entries_.pop_front();
  }
  read_up_to_ = message->sequence;
  if (read_up_to_ >= head_.offset) {
    head_.offset = read_up_to_;
    step_ = Step::kDone;
  }
  return absl::OkStatus();
}

}  // namespace groupcast::service
