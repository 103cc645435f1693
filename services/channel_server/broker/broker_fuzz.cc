// Frames from the sockets, as the channel server reads them: whatever comes, in whatever order, the
// broker goes on, with a log and when that cannot be written. The input is a list of
//
//   what u8 | bytes u8 | so many bytes
//
// `what` says from which socket they are. Control comes first in a turn, then subscriptions, then
// publications: what is of an earlier kind begins the next one. A time of two bytes or more makes
// subscribers short of room.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"
#include "services/channel_server/broker/broker.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

enum class What : uint8_t { kControl, kSubscription, kUnsubscription, kPublication, kTime, kCount };

class Sink final : public BrokerSink {
 public:
  absl::Status WriteLog(std::string*) override {
    return log_works ? absl::OkStatus() : absl::UnavailableError("disk full");
  }
  bool HandOut(size_t) override { return has_room(); }
  bool Announce(absl::string_view frame) override {
    if (!ParseLiveFrame(frame).ok()) std::abort();
    return has_room();
  }
  Sent SendControl(PublisherId, absl::string_view) override {
    // Nobody has sent so much that its answer could be more.
    if (++sent > 100'000) std::abort();
    return Sent::kSent;
  }
  bool log_works = true;
  bool room_is_short = false;
  size_t sent = 0;

 private:
  // If it is short, two of three attempts find none.
  bool has_room() { return !room_is_short || ++attempts_ % 3 == 0; }
  size_t attempts_ = 0;
};

class Run {
 public:
  Run() { broker_.BeginTurn(); }

  void Give(What what, absl::string_view bytes) {
    if (what < last_) EndTurn();
    last_ = what;
    switch (what) {
      case What::kControl:
        broker_.OnControl(PublisherId{1}, bytes, &sink_).IgnoreError();
        break;
      case What::kSubscription:
        broker_.OnSubscription(bytes).IgnoreError();
        break;
      case What::kUnsubscription:
        broker_.OnUnsubscription(bytes).IgnoreError();
        break;
      case What::kPublication:
        while (broker_.handing_out()) EndTurn();
        broker_.OnPublication(absl::MakeSpan(frames_.emplace_back(bytes))).IgnoreError();
        break;
      default:
        sink_.log_works = bytes.empty();
        sink_.room_is_short = bytes.size() > 1;
        clock_.Advance(absl::Seconds(1));
    }
  }

  void EndTurn() {
    broker_.EndTurn(&sink_).IgnoreError();
    broker_.AnswerQuestions(&sink_);
    if (!broker_.handing_out()) frames_.clear();
    broker_.BeginTurn();
  }

 private:
  FakeClock clock_;
  Sink sink_;
  Broker broker_{{.new_epoch = [] { return Epoch{7}; },
                  .has_log = true,
                  .max_message_bytes = 100,
                  .retention = {.history_messages_max = 2,
                                .repair_retention = absl::Seconds(2),
                                .bytes_max = 2000},
                  .publishers = {.publishers_max = 2, .results_max = 4},
                  .keys = {.keys_max = 2},
                  .idle_groups_max = 2},
                 &clock_,
                 &clock_};
  What last_ = What::kControl;
  std::deque<std::string> frames_;  // of the turn
};

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(build/namespaces)
  Run run;
  for (size_t at = 0; at + 2 <= size;) {
    const auto what = static_cast<What>(data[at] % static_cast<uint8_t>(What::kCount));
    const size_t bytes = std::min<size_t>(data[at + 1], size - at - 2);
    run.Give(what, {reinterpret_cast<const char*>(data) + at + 2, bytes});
    at += 2 + bytes;
  }
  run.EndTurn();
  run.EndTurn();
  return 0;
}
