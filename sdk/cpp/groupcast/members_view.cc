#include "groupcast/members_view.h"

#include <utility>

#include "groupcast/status.h"

namespace groupcast {

MembersView::MembersView(std::shared_ptr<const GroupCallbacks> callbacks)
    : callbacks_(std::move(callbacks)) {}

void MembersView::BeginReading() {
  failed_ = false;
  next_.emplace();
}

void MembersView::OnPage(const std::vector<Member>& page, bool is_last) {
  if (!next_.has_value()) return;
  for (const Member& member : page) next_->insert_or_assign(member.connection_id, member);
  if (is_last) FinishReading();
}

void MembersView::OnEvent(const MemberEvent& event) {
  if (failed_) return;
  MembersById& members = next_.has_value() ? *next_ : members_;
  const Member& member = event.member;
  if (event.joined) {
    members.insert_or_assign(member.connection_id, member);
    if (members.size() > kViewMembersMax) return Fail(TooManyMembers());
    if (!next_.has_value()) callbacks_->on_members(MembersUpdate{members_, {member}, {}});
    return;
  }
  const auto found = members.find(member.connection_id);
  if (found == members.end()) return;
  std::vector<Member> left = {std::move(found->second)};
  members.erase(found);
  if (!next_.has_value()) callbacks_->on_members(MembersUpdate{members_, {}, std::move(left)});
}

void MembersView::Fail(const absl::Status& why) {
  if (std::exchange(failed_, true)) return;
  next_.reset();
  callbacks_->on_members(why);
}

void MembersView::FinishReading() {
  const MembersById before = std::exchange(members_, *std::exchange(next_, std::nullopt));
  MembersUpdate update{members_, {}, {}};
  for (const auto& [id, member] : members_) {
    const auto known = before.find(id);
    if (known == before.end() || known->second != member) update.joined.push_back(member);
  }
  for (const auto& [id, member] : before) {
    if (!members_.contains(id)) update.left.push_back(member);
  }
  callbacks_->on_members(std::move(update));
}

}  // namespace groupcast
