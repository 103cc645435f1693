#include "services/channel/zmq/head_comparison.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/channel/wire.h"

namespace groupcast::service {
namespace {

// How long a page of a comparison that has been restarted keeps its place.
constexpr absl::Duration kOldPageTimeout = absl::Milliseconds(250);

// Over it, no page is sent, because the repairs that it would find could not run soon.
constexpr size_t kQueuedRepairsMax = 1'000;

}  // namespace

HeadComparison::HeadComparison(const ChannelClientOptions& options, const Clock* clock,
                               ChannelLinks* links, Subscriptions* subscriptions, Repairs* repairs)
    : options_(options),
      clock_(clock),
      links_(links),
      subscriptions_(subscriptions),
      repairs_(repairs) {}

void HeadComparison::Begin() {
  // Another reason before the first page asks for nothing new.
  if (is_running_ && !has_sent_) return;
  ++count_;
  is_running_ = true;
  // The answers to pages under way are of no use any more. If they do not come, their places must
  // not be waited for.
  for (auto& [request, page] : pages_) {
    page.deadline = std::min(page.deadline, clock_->Now() + kOldPageTimeout);
  }
  has_sent_ = false;
  subscriptions_->StartRound();
}

void HeadComparison::Continue(Epoch current) {
  SendLatePagesAgain(current);
  while (is_running_ && pages_.size() < options_.pages_max &&
         repairs_->queued() < kQueuedRepairsMax) {
    has_sent_ = true;
    Page page{.comparison = count_};
    while (page.heads.heads_size() < options_.heads_per_page &&
           repairs_->queued() < kQueuedRepairsMax) {
      const Subscriptions::Subscription* const subscription = subscriptions_->NextOfRound();
      if (subscription == nullptr) {
        is_running_ = false;
        break;
      }
      const Feed& feed = subscription->feed;
      // The announcement of a cold feed may have an older head than an earlier frame over control.
      const Position position = feed.warm() ? feed.position() : Position{current, 0};
      if (position.epoch != current) {
        repairs_->Queue(*subscription->group_id);
        continue;
      }
      channel::v1::Head* const head = page.heads.add_heads();
      head->set_group_id(*subscription->group_id);
      head->set_offset(position.offset);
    }
    if (page.heads.heads_size() > 0) Send(std::move(page), current);
  }
}

void HeadComparison::Send(Page page, Epoch current) {
  page.heads.set_request(next_request_);
  page.heads.set_epoch(static_cast<uint64_t>(current));
  const bool sent = links_->SendControl(ControlFrame(ControlKind::kCompareHeads, page.heads));
  page.deadline = clock_->Now() + (sent ? options_.answer_timeout : options_.repair_after);
  pages_.emplace(next_request_++, std::move(page));
}

void HeadComparison::SendLatePagesAgain(Epoch current) {
  const absl::Time now = clock_->Now();
  std::vector<Page> late;
  std::erase_if(pages_, [&](auto& entry) {
    if (entry.second.deadline > now) return false;
    // The comparison that was begun since asks about its groups again.
    if (entry.second.comparison == count_) late.push_back(std::move(entry.second));
    return true;
  });
  for (Page& page : late) Send(std::move(page), current);
}

bool HeadComparison::TakeAnswer(uint64_t request) { return pages_.erase(request) > 0; }

void HeadComparison::Reset() {
  is_running_ = false;
  pages_.clear();
}

}  // namespace groupcast::service
