#include "services/channel/testing/truth.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service::testing {
namespace {

std::vector<Truth::Message>::const_iterator After(const std::vector<Truth::Message>& messages,
                                                  uint64_t offset) {
  return std::upper_bound(
      messages.begin(), messages.end(), offset,
      [](uint64_t wanted, const Truth::Message& message) { return wanted < message.offset; });
}

}  // namespace

void Truth::OnPlaced(absl::string_view group_id, const Position& position, uint64_t previous,
                     absl::string_view text, const Fingerprint& key, absl::Time at) {
  ++placed_;
  if (trace_) {
    trace_(absl::StrCat("placed ", group_id, " ", EpochText(position.epoch), " ", position.offset,
                        " after ", previous, " \"", text, "\""));
  }
  std::vector<Message>& messages = messages_[{std::string(group_id), position.epoch}];
  if (!messages.empty() && messages.back().offset >= position.offset) {
    Fail(absl::StrCat("group ", group_id, ": offset ", position.offset, " is given after ",
                      messages.back().offset));
  }
  if (!messages.empty() && messages.back().offset > previous) {
    Fail(absl::StrCat("group ", group_id, ": previous of ", position.offset, " is ", previous,
                      ", below the message at ", messages.back().offset));
  }
  const auto [entry, is_new] =
      by_offset_.try_emplace({position.epoch, position.offset}, std::string(text));
  if (!is_new) {
    Fail(absl::StrCat("offset ", position.offset, " was given to \"", entry->second, "\" and to \"",
                      text, "\""));
  }
  messages.push_back({position.offset, previous, std::string(text), at});
  if (!key.empty()) {
    const auto [last, is_first] = keys_.try_emplace({position.epoch, key}, at);
    if (!is_first && at - last->second < key_window_) {
      Fail(absl::StrCat("\"", text, "\" at ", position.offset, " has a key that was used ",
                        absl::FormatDuration(at - last->second), " before"));
    }
    last->second = at;
  }
  Place& place = places_[{std::string(group_id), std::string(text)}];
  const bool is_repeated = place.position.offset != 0 && place.position.epoch == position.epoch;
  const bool counts_again = is_repeated && !key.empty() && at - place.at >= key_window_;
  if (is_repeated && !place.may_be_doubled && !counts_again) {
    Fail(absl::StrCat("\"", text, "\" has two places in one epoch: ", place.position.offset,
                      " and ", position.offset));
  }
  if (place.acknowledged && !place.may_come_again && !counts_again) {
    Fail(absl::StrCat("\"", text, "\" came again after it was acknowledged"));
  }
  place.position = position;
  place.at = at;
  ++place.count;
}

void Truth::OnAcknowledged(absl::string_view group_id, const Position& position,
                           absl::string_view text) {
  ++acknowledged_;
  if (trace_) {
    trace_(absl::StrCat("acknowledged ", group_id, " ", EpochText(position.epoch), " ",
                        position.offset, " \"", text, "\""));
  }
  const auto found = places_.find({std::string(group_id), std::string(text)});
  if (found == places_.end() || found->second.position.offset == 0) {
    Fail(absl::StrCat("\"", text, "\" was acknowledged and has no place"));
    return;
  }
  found->second.acknowledged = true;
  const Message* const message = At(group_id, position);
  if (message == nullptr || message->text != text) {
    Fail(absl::StrCat("\"", text, "\" was acknowledged at ", position.offset, ", where there is ",
                      message == nullptr ? "nothing" : message->text));
  }
}

const Truth::Message* Truth::Next(absl::string_view group_id, Epoch epoch, uint64_t offset) const {
  const auto found = messages_.find({std::string(group_id), epoch});
  if (found == messages_.end()) return nullptr;
  const auto next = After(found->second, offset);
  return next == found->second.end() ? nullptr : &*next;
}

size_t Truth::CountAfter(absl::string_view group_id, const Position& position) const {
  const auto found = messages_.find({std::string(group_id), position.epoch});
  if (found == messages_.end()) return 0;
  return static_cast<size_t>(found->second.end() - After(found->second, position.offset));
}

std::vector<const Truth::Message*> Truth::Newest(absl::string_view group_id, const Position& head,
                                                 size_t count) const {
  const auto found = messages_.find({std::string(group_id), head.epoch});
  if (found == messages_.end()) return {};
  const std::vector<Message>& all = found->second;
  const auto end = After(all, head.offset);
  std::vector<const Message*> newest;
  for (auto it = end - std::min<ptrdiff_t>(static_cast<ptrdiff_t>(count), end - all.begin());
       it != end; ++it) {
    newest.push_back(&*it);
  }
  return newest;
}

const Truth::Message* Truth::At(absl::string_view group_id, const Position& position) const {
  if (position.offset == 0) return nullptr;
  const Message* const message = Next(group_id, position.epoch, position.offset - 1);
  return message != nullptr && message->offset == position.offset ? message : nullptr;
}

std::string Truth::ClientOf(uint64_t id) const {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return absl::StrCat("nobody ", id);
  return found->second.empty() ? absl::StrCat("connection ", id) : found->second;
}

void Truth::CheckRefused() {
  for (const auto& [group_id, text] : refused_) {
    if (IsPlaced(group_id, text))
      Fail(absl::StrCat("\"", text, "\" was told to be not done, and was"));
  }
}

}  // namespace groupcast::service::testing
