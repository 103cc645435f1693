#ifndef SDK_CPP_GROUPCAST_MEMBERS_VIEW_H_
#define SDK_CPP_GROUPCAST_MEMBERS_VIEW_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "groupcast/event.h"
#include "groupcast/types.h"

namespace groupcast {

// The bound of the members in a view. It is the server's own. Over it the view ends with
// TooManyMembers(), until it is read again.
inline constexpr size_t kViewMembersMax = 100'000;

// The members of a group, as on_members gets them. It follows the server's events, and is read anew
// after each join. Until it is whole again, the application keeps the one before.
//
// Not thread-safe: only the callbacks of a session touch it. So the application can look at it
// without a lock, and no copy is needed.
class MembersView {
 public:
  // `callbacks` has on_members.
  explicit MembersView(std::shared_ptr<const GroupCallbacks> callbacks);

  // From now on pages and events are of a new view.
  void BeginReading();
  void OnPage(const std::vector<Member>& page, bool is_last);
  void OnEvent(const MemberEvent& event);
  // The view cannot be read.
  void Fail(const absl::Status& why);

 private:
  void FinishReading();

  const std::shared_ptr<const GroupCallbacks> callbacks_;
  MembersById members_;              // What the application knows.
  std::optional<MembersById> next_;  // The same, while it is read.
  bool failed_ = false;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_MEMBERS_VIEW_H_
