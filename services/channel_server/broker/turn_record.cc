#include "services/channel_server/broker/turn_record.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/channel/group_id.h"

namespace groupcast::service {
namespace {

enum class Item : uint8_t { kMessage = 1, kResult, kKnown, kForgotten, kEpoch };

// Takes a record apart from the front.
class Reader {
 public:
  explicit Reader(absl::string_view record) : rest_(record) {}

  template <typename Integer>
  bool Take(Integer* value) {
    if (rest_.size() < sizeof(*value)) return false;
    std::memcpy(value, rest_.data(), sizeof(*value));
    rest_.remove_prefix(sizeof(*value));
    return true;
  }
  bool Take(size_t bytes, absl::string_view* text) {
    if (rest_.size() < bytes) return false;
    *text = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return true;
  }
  bool done() const { return rest_.empty(); }

 private:
  absl::string_view rest_;
};

bool ReadItem(Reader* reader, TurnVisitor* visitor) {
  uint8_t item = 0;
  if (!reader->Take(&item)) return false;
  switch (Item{item}) {
    case Item::kMessage: {
      uint32_t bytes = 0;
      absl::string_view text;
      if (!reader->Take(&bytes) || !reader->Take(bytes, &text)) return false;
      const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(text);
      if (!frame.ok() || frame->header.kind != LiveKind::kMessage) return false;
      visitor->OnMessage(*frame, text);
      return true;
    }
    case Item::kResult: {
      uint64_t publisher = 0;
      uint64_t number = 0;
      uint64_t offset = 0;
      uint8_t reason = 0;
      if (!reader->Take(&publisher) || !reader->Take(&number) || !reader->Take(&offset) ||
          !reader->Take(&reason)) {
        return false;
      }
      visitor->OnResult(PublisherId{publisher}, number, offset, reason);
      return true;
    }
    case Item::kKnown:
    case Item::kForgotten: {
      uint64_t offset = 0;
      uint8_t bytes = 0;
      absl::string_view group_id;
      if (!reader->Take(&offset) || !reader->Take(&bytes) || !reader->Take(bytes, &group_id) ||
          !GroupIdDefect(group_id).empty()) {
        return false;
      }
      Item{item} == Item::kKnown ? visitor->OnKnown(group_id, offset)
                                 : visitor->OnForgotten(group_id, offset);
      return true;
    }
    case Item::kEpoch: {
      uint64_t epoch = 0;
      if (!reader->Take(&epoch)) return false;
      visitor->OnEpoch(Epoch{epoch});
      return true;
    }
  }
  return false;
}

}  // namespace

void TurnWriter::Begin(size_t room, int64_t time_ms) {
  record_.assign(room, '\0');
  AddInteger(time_ms);
  empty_ = true;
}

void TurnWriter::AddMessage(absl::string_view frame) {
  AddByte(static_cast<uint8_t>(Item::kMessage));
  AddInteger(static_cast<uint32_t>(frame.size()));
  record_.append(frame.data(), frame.size());
}

void TurnWriter::AddResult(PublisherId publisher, uint64_t number, uint64_t offset,
                           uint8_t reason) {
  AddByte(static_cast<uint8_t>(Item::kResult));
  AddInteger(static_cast<uint64_t>(publisher));
  AddInteger(number);
  AddInteger(offset);
  AddByte(reason);
}

void TurnWriter::AddKnown(absl::string_view group_id, uint64_t floor) {
  AddByte(static_cast<uint8_t>(Item::kKnown));
  AddGroup(floor, group_id);
}

void TurnWriter::AddForgotten(absl::string_view group_id, uint64_t head) {
  AddByte(static_cast<uint8_t>(Item::kForgotten));
  AddGroup(head, group_id);
}

void TurnWriter::AddEpoch(Epoch epoch) {
  AddByte(static_cast<uint8_t>(Item::kEpoch));
  AddInteger(static_cast<uint64_t>(epoch));
}

void TurnWriter::AddByte(uint8_t byte) {
  record_.push_back(static_cast<char>(byte));
  empty_ = false;
}

void TurnWriter::AddGroup(uint64_t offset, absl::string_view group_id) {
  AddInteger(offset);
  AddByte(static_cast<uint8_t>(group_id.size()));
  record_.append(group_id.data(), group_id.size());
}

template <typename Integer>
void TurnWriter::AddInteger(Integer value) {
  record_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

absl::Status ReadTurn(absl::string_view record, TurnVisitor* visitor) {
  Reader reader(record);
  int64_t time_ms = 0;
  if (!reader.Take(&time_ms)) return absl::DataLossError("a turn without a time");
  visitor->OnTime(time_ms);
  while (!reader.done()) {
    if (!ReadItem(&reader, visitor)) {
      return absl::DataLossError("a turn with an item that cannot be read");
    }
  }
  return absl::OkStatus();
}

}  // namespace groupcast::service
