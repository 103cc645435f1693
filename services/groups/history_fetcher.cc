#include "services/groups/history_fetcher.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {
namespace {

absl::StatusOr<HistoryPage> PageOf(const absl::StatusOr<History>& history) {
  if (!history.ok()) return history.status();
  HistoryPage page{.head = history->head, .floor = history->floor};
  page.messages.reserve(history->messages.size());
  for (const History::Entry& entry : history->messages) {
    page.messages.emplace_back(Position{history->head.epoch, entry.offset}, entry.previous,
                               Content{.kind = entry.kind,
                                       .data = entry.data,
                                       .sent_at_ms = entry.sent_at_ms,
                                       .excluded_session = entry.excluded_session,
                                       .from = entry.from});
  }
  return page;
}

}  // namespace

uint64_t HistoryPage::begin() const {
  return std::max(floor, messages.empty() ? head.offset : messages.front().previous());
}

void HistoryFetcher::Fetch(absl::string_view group_id, const Position& after, uint32_t newest,
                           Callback done) {
  const Key key(group_id, after.epoch, after.offset, newest);
  const auto [fetch, is_new] = fetches_.try_emplace(key);
  fetch->second.push_back(std::move(done));
  if (!is_new) return;
  waiting_.push_back(key);
  StartNext();
}

void HistoryFetcher::StartNext() {
  while (under_way_ < kFetchesMax && !waiting_.empty()) {
    const Key key = std::move(waiting_.front());
    waiting_.pop_front();
    ++under_way_;
    const auto& [group_id, epoch, offset, newest] = key;
    channel_->FetchHistory(
        group_id, {epoch, offset}, newest,
        [this, key](absl::StatusOr<History> history) { Finish(key, std::move(history)); });
  }
}

void HistoryFetcher::Finish(const Key& key, const absl::StatusOr<History>& history) {
  --under_way_;
  const std::vector<Callback> waiting = std::move(fetches_.extract(key).mapped());
  StartNext();
  absl::StatusOr<HistoryPage> page = PageOf(history);
  for (const Callback& done : waiting) done(page);
}

}  // namespace groupcast::service
