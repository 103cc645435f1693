#include "services/channel_server/broker/reads.h"

#include "absl/strings/str_cat.h"

namespace groupcast::service {

channel::v1::History ReadHistory(const BrokerState& state, const channel::v1::FetchHistory& fetch) {
  channel::v1::History history;
  history.set_request(fetch.request());
  history.set_epoch(static_cast<uint64_t>(state.epoch));
  const KnownGroup* const group = state.groups.Find(fetch.group_id());
  if (group == nullptr) {
    history.set_head(state.groups.highest_forgotten());
    history.set_floor(state.groups.highest_forgotten());
    return history;
  }
  const uint64_t after = Epoch{fetch.epoch()} == state.epoch ? fetch.after() : 0;
  const Retention::Page page =
      fetch.newest() > 0 ? state.retention.NewestPage(*group, after, fetch.newest(), state.now)
                         : state.retention.PageAfter(*group, after);
  history.set_head(group->head);
  history.set_floor(page.floor);
  for (size_t i = page.begin; i < page.end; ++i) {
    const Retention::Message& message = group->at(i);
    absl::StrAppend(history.add_messages(), message.head(), message.body());
  }
  return history;
}

channel::v1::Heads DifferentHeads(const BrokerState& state,
                                  const channel::v1::CompareHeads& compare) {
  channel::v1::Heads heads;
  heads.set_request(compare.request());
  heads.set_epoch(static_cast<uint64_t>(state.epoch));
  const bool same_epoch = Epoch{compare.epoch()} == state.epoch;
  for (const channel::v1::Head& head : compare.heads()) {
    const KnownGroup* const group = state.groups.Find(head.group_id());
    const uint64_t offset = group == nullptr ? state.groups.highest_forgotten() : group->head;
    if (same_epoch && offset == head.offset()) continue;
    channel::v1::Head* const other = heads.add_heads();
    other->set_group_id(head.group_id());
    other->set_offset(offset);
  }
  return heads;
}

}  // namespace groupcast::service
