#include "tests/support/event.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/json/parse.hpp"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

std::string Command(absl::string_view cmd, absl::string_view fields, absl::string_view id) {
  return absl::StrCat("{\"cmd\":\"", cmd, "\"", fields, id.empty() ? "" : ",\"id\":", id, "}");
}

}  // namespace

JsonObject::JsonObject(std::string text) : text_(std::move(text)) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(text_, error);
  if (error || !value.is_object()) throw Failure(absl::StrCat("not a JSON object: ", text_));
  fields_ = value.as_object();
}

Event::Event(std::string text) : JsonObject(std::move(text)) {
  if (fields().empty() || fields().begin()->key() != "event") {
    throw Failure(absl::StrCat("the first field is not \"event\": ", this->text()));
  }
}

bool JsonObject::Has(absl::string_view field) const {
  return fields_.contains({field.data(), field.size()});
}

std::string JsonObject::Text(absl::string_view field) const {
  const boost::json::value& value = At(field);
  if (!value.is_string()) throw Failure(absl::StrCat(field, " is not a string: ", text_));
  return std::string(value.as_string());
}

int64_t JsonObject::Number(absl::string_view field) const {
  const boost::json::value& value = At(field);
  if (!value.is_int64()) throw Failure(absl::StrCat(field, " is not an integer: ", text_));
  return value.as_int64();
}

bool JsonObject::Bool(absl::string_view field) const {
  const boost::json::value& value = At(field);
  if (!value.is_bool()) throw Failure(absl::StrCat(field, " is neither true nor false: ", text_));
  return value.as_bool();
}

bool JsonObject::IsNull(absl::string_view field) const { return At(field).is_null(); }

const boost::json::value& JsonObject::At(absl::string_view field) const {
  const boost::json::value* const value = fields_.if_contains({field.data(), field.size()});
  if (value == nullptr) throw Failure(absl::StrCat("no field ", field, ": ", text_));
  return *value;
}

std::string AddGroup(absl::string_view group, absl::string_view id) {
  return Command("add_group", absl::StrCat(",\"group_id\":", group), id);
}

std::string AddGroupSince(absl::string_view group, absl::string_view epoch, int64_t offset,
                          absl::string_view id) {
  return Command("add_group",
                 absl::StrCat(",\"group_id\":", group, ",\"since\":{\"epoch\":\"", epoch,
                              "\",\"offset\":", offset, "}"),
                 id);
}

std::string LeaveGroup(absl::string_view group, absl::string_view id) {
  return Command("leave_group", absl::StrCat(",\"group_id\":", group), id);
}

std::string SendToGroup(absl::string_view group, absl::string_view message, absl::string_view id) {
  return Command("send_to_group", absl::StrCat(",\"group_id\":", group, ",\"message\":", message),
                 id);
}

std::string Ping(absl::string_view id) { return Command("ping", "", id); }

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

}  // namespace groupcast::tests
