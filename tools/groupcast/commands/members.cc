#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/live_client.h"
#include "tools/groupcast/message_text.h"
#include "tools/groupcast/table.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(All connections of a session are one member. With token keys, it needs the right "observe".

Examples:
  groupcast members room
  groupcast members --count room                       only how many
  groupcast members --json room | jq -r .user | sort -u)";

constexpr uint32_t kPage = 500;  // the most that a server gives

struct Arguments {
  ServerOptions server;
  std::string group;
  bool count = false;
  bool json = false;
};

std::string MemberJson(const Member& member) {
  std::string json = absl::StrCat("{\"connection_id\":", JsonString(member.connection_id));
  if (!member.user.empty()) absl::StrAppend(&json, ",\"user\":", JsonString(member.user));
  if (!member.info_json.empty()) absl::StrAppend(&json, ",\"info\":", member.info_json);
  return absl::StrCat(json, ",\"since\":", absl::ToUnixMillis(member.since), "}\n");
}

ExitCode RunMembers(const Arguments& arguments, Console& console) {
  Waker waker;
  LiveClient client(arguments.server, &console, &waker);
  if (absl::Status status = client.Connect(); !status.ok()) return client.Fail(status);
  Table table({{"CONNECTION"}, {"USER"}, {"SINCE"}, {"INFO"}});
  MembersOptions options;
  options.limit = kPage;
  options.count_only = arguments.count;
  uint64_t members = 0;
  do {
    const absl::StatusOr<GroupMembers> page =
        client.Ask<GroupMembers>([&](const MembersCallback& on_members) {
          return client.client().Members(arguments.group, options, on_members);
        });
    if (!page.ok()) return client.FailOfGroup(arguments.group, page.status());
    if (arguments.count) {
      console.Print(absl::StrCat(page->count, "\n"));
      return ExitCode::kDone;
    }
    for (const Member& member : page->members) {
      ++members;
      if (!arguments.json) {
        table.AddRow({member.connection_id, member.user.empty() ? "-" : Harmless(member.user),
                      absl::FormatTime("%Y-%m-%d %H:%M:%S", member.since, absl::LocalTimeZone()),
                      Harmless(member.info_json)});
      } else if (!console.Print(MemberJson(member))) {
        return ExitCode::kDone;
      }
    }
    options.after = page->next;
  } while (!options.after.empty());
  if (!arguments.json && members > 0) console.Print(table.Text(console));
  if (members == 0 && console.err_is_terminal()) console.Note("The group has no members.");
  return ExitCode::kDone;
}

}  // namespace

Run DefineMembers(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  Add(app, "GROUP", &arguments->group, "GROUP", "the group to read")->required();
  app->add_flag("--count", arguments->count, "print the number of the members alone");
  app->add_flag("--json", arguments->json, "print one JSON object per line");
  AddServerOptions(app, &arguments->server);
  app->footer(kFooter);
  return [arguments](Console& console) { return RunMembers(*arguments, console); };
}

}  // namespace groupcast::cli
