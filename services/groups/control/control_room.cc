#include "services/groups/control/control_room.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"
#include "services/common/version.h"
#include "services/protocol/json.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// An answer delays the messages behind it on the channel, so it is not larger.
constexpr size_t kListBytesMax = 48u << 10;

// A gateway that asks again and again keeps its view of the workers. One that is not asked for so
// long lets go of it: a watch costs frames between the server and all workers.
constexpr absl::Duration kLinger = absl::Seconds(30);

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string InfoOf(const ControlOptions& options) {
  std::string info = "{\"service\":";
  AppendJsonString(options.service, &info);
  info += ",\"host\":";
  AppendJsonString(HostName(), &info);
  absl::StrAppend(&info, ",\"pid\":", getpid(), ",\"worker\":", options.worker, ",\"version\":\"",
                  kVersion, "\"}");
  return info;
}

}  // namespace

ControlRoom::ControlRoom(const ControlOptions& options, const ControlCommands::Parts& parts,
                         GroupPresence* presence)
    : options_(options),
      clock_(parts.clock),
      calendar_(parts.calendar),
      presence_(presence),
      self_(RandomId()),
      answers_(AnswersGroup(RandomId())),
      commands_(parts),
      questions_(options.questions,
                 {.clock = parts.clock,
                  .workers = [this] { return WorkersThatLive(); },
                  .publish =
                      [this](uint64_t number, const ControlCommand& command,
                             std::function<void(const absl::Status&)> failed) {
                        const std::string text = FormatQuestion(
                            {.number = number, .answers = answers_, .command = command});
                        Publish(std::string(kControlGroup), text, std::move(failed));
                        return text.size();
                      },
                  .list_bytes_max = [this] { return ListBytesMax(); }}) {}

void ControlRoom::SetChannel(Channel* channel) {
  channel_ = channel;
  commands_.SetPresence(channel == nullptr ? nullptr : channel->presence());
  if (channel == nullptr) return;
  channel->Subscribe(kControlGroup);
  if (options_.asks) channel->Subscribe(answers_);
}

void ControlRoom::OnSubscribed(absl::string_view group_id) {
  // Who sees the worker may ask it: from now on it hears all questions.
  if (group_id == kControlGroup) {
    presence_->JoinItself(kControlGroup,
                          {.connection_id = self_,
                           .user = "",
                           .info = InfoOf(options_),
                           .identity = {},
                           .session = {},
                           .since_ms = absl::ToUnixMillis(calendar_->Now())},
                          [this] { questions_.OnTick(); });
  }
  if (group_id == answers_) hears_answers_ = true;
}

void ControlRoom::OnMessage(const Message& message) {
  if (message.group_id == kControlGroup) {
    RunQuestion(message.content.data);
  } else if (message.group_id == answers_) {
    absl::StatusOr<ControlAnswer> answer = ParseAnswer(message.content.data);
    if (!answer.ok()) return NoteMalformed(answer.status());
    questions_.OnAnswer(*std::move(answer));
  }
}

void ControlRoom::RunQuestion(absl::string_view text) {
  ControlQuestion question;
  const absl::Status status = ParseQuestion(text, &question);
  const bool is_known = !absl::IsUnimplemented(status);
  if (is_known && !status.ok()) return NoteMalformed(status);
  ControlAnswer answer{.question = question.number, .worker = self_};
  if (!is_known) answer.outcome = ControlAnswer::Outcome::kUnknown;
  if (is_known && !RunCommand(question, &answer)) return;
  if (answer.outcome != ControlAnswer::Outcome::kDone) {
    const absl::Time now = clock_->Now();
    if (refusals_.Available(kRefusals, now) < 1) return;
    refusals_.Take(1, kRefusals, now);
  }
  if (answer.count > 0) {
    if (const int64_t count = action_log_.Admit(clock_->Now())) {
      spdlog::info(
          "an operator's command concerned {} connections ({} commands since the last "
          "such line)",
          answer.count, count);
    }
  }
  PublishAnswer(question.answers, answer);
}

bool ControlRoom::RunCommand(const ControlQuestion& question, ControlAnswer* answer) {
  const absl::Time now = clock_->Now();
  const bool is_end = IsEnd(question.command);
  // After a change of the epoch a message may come again.
  if (is_end && ended_.Contains(question.number, now)) return false;
  // A count is the second half of a question whose first half was admitted.
  const bool begins_list = !is_end && question.command.kind != ControlCommand::Kind::kCount;
  if (begins_list && list_bytes_.Available(kListBytes, now) <= 0) {
    answer->outcome = ControlAnswer::Outcome::kBusy;
    return true;
  }
  commands_.Run(question.command, ListBytesMax(), answer);
  if (is_end && answer->outcome == ControlAnswer::Outcome::kDone) ended_.Add(question.number, now);
  return true;
}

void ControlRoom::PublishAnswer(const std::string& group_id, const ControlAnswer& answer) {
  const std::string text = FormatAnswer(answer);
  if (!answer.list.groups.empty()) {
    list_bytes_.Take(static_cast<double>(text.size()), kListBytes, clock_->Now());
  }
  Publish(group_id, text, [this](const absl::Status& why) {
    if (const int64_t count = failed_log_.Admit(clock_->Now())) {
      spdlog::warn("an answer to another worker did not go out: {} ({} since the last such line)",
                   std::string(why.message()), count);
    }
  });
}

size_t ControlRoom::ListBytesMax() const {
  const size_t most = std::min(kListBytesMax, channel_->message_bytes_max());
  return most - std::min(most, kAnswerBytes);
}

void ControlRoom::Publish(const std::string& group_id, const std::string& text,
                          std::function<void(const absl::Status&)> failed) {
  if (channel_ == nullptr ||
      !channel_->HasRoomFor({.count = 1, .bytes = group_id.size() + text.size()})) {
    return failed(absl::UnavailableError("the channel has no room"));
  }
  channel_->Publish({.group_id = group_id,
                     .content = {.kind = Content::Kind::kJson,
                                 .data = text,
                                 .sent_at_ms = absl::ToUnixMillis(calendar_->Now()),
                                 .excluded_session = {},
                                 .from = {}},
                     .key = {}},
                    [failed = std::move(failed)](const absl::StatusOr<Position>& position) {
                      if (!position.ok()) failed(position.status());
                    });
}

std::optional<ControlQuestions::Workers> ControlRoom::WorkersThatLive() const {
  if (!hears_answers_ || channel_ == nullptr || channel_->presence() == nullptr) {
    return std::nullopt;
  }
  const PresenceView* const view = channel_->presence()->View(kControlGroup);
  // Without this worker, the view is not the truth yet.
  if (view == nullptr || !view->contains(self_)) return std::nullopt;
  ControlQuestions::Workers workers;
  for (const auto& [id, member] : *view) workers.insert(id);
  return workers;
}

absl::StatusOr<uint64_t> ControlRoom::Ask(ControlCommand command, ControlQuestions::Done done) {
  if (!options_.asks || channel_ == nullptr) {
    return absl::UnavailableError("this worker does not ask others");
  }
  if (absl::Status status = presence_->Check(); !status.ok()) return status;
  watched_until_ = clock_->Now() + kLinger;
  channel_->presence()->Watch(kControlGroup);
  return questions_.Ask(std::move(command), std::move(done));
}

void ControlRoom::OnTick() {
  questions_.OnTick();
  if (watched_until_ > clock_->Now() || watched_until_ == absl::InfinitePast()) return;
  watched_until_ = absl::InfinitePast();
  if (channel_ != nullptr) channel_->presence()->Unwatch(kControlGroup);
}

void ControlRoom::NoteMalformed(const absl::Status& why) {
  if (const int64_t count = malformed_log_.Admit(clock_->Now())) {
    spdlog::warn(
        "a message in a reserved group is malformed: {} ({} since the last such line). Something "
        "other than a worker of Groupcast publishes on this channel",
        std::string(why.message()), count);
  }
}

}  // namespace groupcast::service
