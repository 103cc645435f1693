#ifndef GROUPCAST_TESTS_SUPPORT_EVENT_H_
#define GROUPCAST_TESTS_SUPPORT_EVENT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "boost/json/object.hpp"

namespace groupcast::tests {

// A JSON object from the server. A getter throws Failure with the whole text if the field is not as
// expected.
class JsonObject {
 public:
  explicit JsonObject(std::string text);

  const std::string& text() const { return text_; }
  const boost::json::object& fields() const { return fields_; }
  bool Has(absl::string_view field) const;

  std::string Text(absl::string_view field) const;
  int64_t Number(absl::string_view field) const;
  bool Bool(absl::string_view field) const;
  bool IsNull(absl::string_view field) const;

 private:
  const boost::json::value& At(absl::string_view field) const;

  std::string text_;
  boost::json::object fields_;
};

// An event of the protocol.
class Event : public JsonObject {
 public:
  explicit Event(std::string text);

  // The field `event`, which comes first.
  std::string name() const { return Text("event"); }
};

// Commands as JSON. `group` and `message` are JSON too: "\"123\"" or "123". An empty id means none.
std::string AddGroup(absl::string_view group, absl::string_view id = "");
// With `since`: the client's last position.
std::string AddGroupSince(absl::string_view group, absl::string_view epoch, int64_t offset,
                          absl::string_view id = "");
std::string LeaveGroup(absl::string_view group, absl::string_view id = "");
std::string SendToGroup(absl::string_view group, absl::string_view message,
                        absl::string_view id = "");
std::string Ping(absl::string_view id);

// `text` as a JSON string. It must have no characters that need an escape.
std::string Quoted(absl::string_view text);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_EVENT_H_
