// A method, a target, an Idempotency-Key, a Last-Event-ID and a body, with lines between them: what
// the service takes from them must be valid commands.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "services/channel/group_id.h"
#include "services/common/utf8.h"
#include "services/http_gateway/calls.h"
#include "services/http_gateway/event_stream.h"
#include "services/http_gateway/route.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

bool IsUtf8(absl::string_view text) {
  Utf8Checker utf8;
  return utf8.Check(text) && utf8.complete();
}

void CheckProblem(const Problem& problem) {
  Check(problem.status >= 400 && problem.status < 600, "no status of a refusal");
  Check(!problem.code.empty() && !problem.detail.empty(), "a refusal without a reason");
  const std::string json = ProblemJson(problem);
  JsonReader reader(json);
  absl::string_view value;
  Check(IsUtf8(json) && reader.ReadValue(&value) && reader.ExpectEnd(), "a problem is no JSON");
}

void CheckCommand(const Command& command, const CallLimits& limits) {
  Check(!command.group_ids.empty(), "a command without a group");
  for (const GroupIdField& field : command.group_ids) {
    Check(!field.defect.empty() || GroupIdDefect(field.id).empty(), "a wrong group id");
  }
  Check(command.message.size() <= limits.commands.message_bytes_max, "a message over the limit");
  Check(IsUtf8(command.message), "a message that is not UTF-8");
  Check(command.key.size() <= limits.commands.key_bytes_max, "a key over the limit");
  Check(command.history <= limits.commands.history_max, "more history than there may be");
  if (command.kind == Command::Kind::kSendToGroup && command.message_kind == Content::Kind::kJson) {
    JsonReader reader(command.message);
    absl::string_view value;
    Check(reader.ReadValue(&value) && reader.ExpectEnd(), "a message that is no JSON");
  }
}

void CheckCalls(const Calls& calls, const CallLimits& limits) {
  Check(calls.items.size() <= limits.messages_max, "more commands than there may be");
  for (const auto& item : calls.items) {
    const auto* const command = std::get_if<Command>(&item);
    Check(command != nullptr || calls.is_list, "a defect outside of a list");
    if (command != nullptr) CheckCommand(*command, limits);
  }
  if (!calls.is_stream) return;
  Check(calls.items.size() == calls.groups.size(), "a stream's group without a join");
  Check(calls.groups.size() <= limits.stream_groups_max, "more groups than there may be");
  std::vector<Position> positions;
  for (const auto& item : calls.items) {
    if (const auto& since = std::get<Command>(item).since) positions.push_back(*since);
  }
  if (positions.empty()) return;
  // The id that the client would send next time.
  Check(ReadEventId(EventId(positions), calls.groups.size()) == positions, "an id does not return");
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  constexpr absl::string_view kMethods[] = {"GET", "POST", "HEAD", "OPTIONS", "DELETE"};
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::string_view(reinterpret_cast<const char*>(data) + 2, size - 2),
                     absl::MaxSplits('\n', 3));
  Route route;
  Problem problem;
  if (!FindRoute(kMethods[(data[0] & 0x7f) % 5], parts[0], &route, &problem)) {
    CheckProblem(problem);
    return 0;
  }
  Check(IsUtf8(route.id), "an id that is not UTF-8");
  for (const auto& [name, value] : route.query) {
    Check(IsUtf8(name) && IsUtf8(value), "a parameter that is not UTF-8");
  }
  CallInput input;
  input.content_type = (data[0] & 0x80) != 0 ? "text/plain" : "application/json";
  if (parts.size() > 1 && !parts[1].empty()) input.idempotency_key = parts[1];
  if (parts.size() > 2 && !parts[2].empty()) input.last_event_id = parts[2];
  if (parts.size() > 3) input.body = parts[3];
  CallLimits limits;
  limits.commands.message_bytes_max = 100;
  limits.messages_max = 5;
  limits.stream_groups_max = 3;
  const std::variant<Calls, Problem> calls = ReadCalls(route, input, limits);
  if (const auto* const refused = std::get_if<Problem>(&calls)) {
    CheckProblem(*refused);
  } else {
    CheckCalls(std::get<Calls>(calls), limits);
  }
  return 0;
}
