#include "services/http_gateway/stream_progress.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/http_gateway/answer.h"
#include "services/http_gateway/event_stream.h"

namespace groupcast::service {

StreamProgress::StreamProgress(const std::vector<std::string>& groups) {
  if (groups.size() <= 1) return;
  groups_ = groups;
  positions_.resize(groups.size());
}

const Encoding* StreamProgress::encoding() const {
  if (groups_.empty()) return &kGroupStreamEncoding;
  return &kGroupsStreamEncoding;
}

bool StreamProgress::CountEarly(size_t bytes, size_t bytes_max) {
  early_bytes_ += bytes;
  return early_bytes_ <= bytes_max;
}

std::string StreamProgress::Begin(const std::vector<std::string>& replies) {
  std::vector<Position> joined;
  for (const std::string& reply : replies) {
    joined.push_back(ReadPosition(reply).value_or(Position()));
  }
  std::string events;
  for (size_t i = 0; i < joined.size(); ++i) {
    // The id is whole with the last of them.
    const bool is_last = i + 1 == joined.size();
    events += StreamEvent("joined", is_last ? EventId(joined) : "", replies[i]);
  }
  if (!groups_.empty()) positions_ = std::move(joined);
  return events;
}

SharedBytes StreamProgress::NextId(absl::string_view bytes) {
  if (const std::optional<StreamMove> move = ReadMove(bytes)) {
    const auto group = std::find(groups_.begin(), groups_.end(), move->group_id);
    if (group != groups_.end()) {
      positions_[static_cast<size_t>(group - groups_.begin())] = move->position;
    }
  }
  return SharedBytes::Copy(absl::StrCat("id: ", EventId(positions_), "\n\n"));
}

}  // namespace groupcast::service
