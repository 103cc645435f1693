// The events of the groups as answers of HTTP: what is a text of JSON stays one, and whatever the
// text, the answer is a whole one.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/common/utf8.h"
#include "services/http_gateway/answer.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

bool IsJson(absl::string_view text) {
  Utf8Checker utf8;
  JsonReader reader(text);
  absl::string_view value;
  return utf8.Check(text) && utf8.complete() && reader.ReadValue(&value) && reader.ExpectEnd();
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(google-build-using-namespace)
  const absl::string_view event(reinterpret_cast<const char*>(data), size);
  const Answer answer = ReadAnswer(event);
  const bool is_json = IsJson(event);
  switch (answer.kind) {
    case Answer::Kind::kReply:
      Check(answer.id.has_value(), "a reply to no command");
      Check(!is_json || IsJson(answer.json), "a reply that is no JSON");
      ReadPosition(answer.json);
      break;
    case Answer::Kind::kError:
      Check(!answer.problem.code.empty(), "an error without a code");
      Check(answer.problem.status >= 400 && answer.problem.status < 600, "an error's status");
      break;
    case Answer::Kind::kEvent:
      Check(!answer.name.empty() && answer.json == event, "another event");
      break;
  }
  ReadPosition(event);
  return 0;
}
