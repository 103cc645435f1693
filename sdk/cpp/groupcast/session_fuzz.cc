// What a server may say to a client: lines, each a frame, to a session with groups, sends and a
// history under way. Whatever it is, the application must hear of each group in order, each message
// once, and each send's result once.

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/event.h"
#include "groupcast/session.h"

namespace groupcast {
namespace {

class Application {
 public:
  explicit Application(Session* session) : session_(session) {
    auto callbacks = std::make_shared<GroupCallbacks>();
    callbacks->on_join = [this](const absl::StatusOr<Joined>& joined) {
      if (joined.ok()) position_ = joined->position;
    };
    callbacks->on_message = [this](const Message& message) {
      if (!position_.has_value() || message.epoch != position_->epoch ||
          message.offset <= position_->offset)
        std::abort();
      position_ = message.position();
    };
    callbacks->on_members = [](const absl::StatusOr<MembersUpdate>& update) {
      if (!update.ok()) return;
      for (const Member& member : update->joined) {
        const auto found = update->members.find(member.connection_id);
        if (found == update->members.end() || found->second != member) std::abort();
      }
      for (const Member& member : update->left) {
        if (update->members.contains(member.connection_id)) std::abort();
      }
    };
    callbacks->on_end = [this](const absl::Status&) {
      if (std::exchange(ended_, true)) std::abort();
    };
    callbacks->on_gap = [this](const Gap& gap) { position_ = gap.position(); };
    if (!session_->Join("g", {}, std::move(callbacks)).ok()) std::abort();
    for (int i = 0; i < 3; ++i) {
      const auto answers = std::make_shared<int>(0);
      if (!session_
               ->Send("g", "1", {},
                      [answers](const absl::StatusOr<Position>&) {
                        if (++*answers > 1) std::abort();
                      })
               .ok())
        std::abort();
    }
    if (!session_->History("g", {}, [](const absl::StatusOr<GroupHistory>&) {}).ok()) std::abort();
    if (!session_->Members("g", {}, [](const absl::StatusOr<GroupMembers>&) {}).ok()) std::abort();
  }

  void Pump(absl::Time now) {
    while (const std::function<void()> callback = session_->NextCallback()) callback();
    if (session_->connected()) {
      while (session_->NextFrame(now).has_value()) {
      }
    }
  }

 private:
  Session* const session_;
  std::optional<Position> position_;
  bool ended_ = false;
};

void Run(absl::string_view input) {
  Session session({.session_id = "s", .key_prefix = "k"},
                  {.queue_bytes_max = 10'000, .groups_max = 10});
  Application application(&session);
  absl::Time now = absl::UnixEpoch();
  for (const absl::string_view frame : absl::StrSplit(input, '\n')) {
    absl::StatusOr<Event> event = ParseEvent(frame);
    // As a client does with a server that does not keep to the protocol.
    if (!event.ok() || !session.OnEvent(*std::move(event), now).ok()) session.OnDisconnected();
    application.Pump(now);
    now += absl::Seconds(1);
    if (now >= session.next_deadline()) session.OnTimer(now);
    if (session.has_refused_joins()) session.RetryJoins();
    application.Pump(now);
  }
  session.Shutdown(absl::CancelledError("the end"));
  application.Pump(now);
}

}  // namespace
}  // namespace groupcast

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  groupcast::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
