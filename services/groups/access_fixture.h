#ifndef GROUPCAST_SERVICES_GROUPS_ACCESS_FIXTURE_H_
#define GROUPCAST_SERVICES_GROUPS_ACCESS_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/access/testing/token_maker.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {

inline constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

inline std::string Signed(absl::string_view claims) { return HmacToken(claims, kSecret); }

// A service with keys, and with groups that are open or name their senders.
inline GroupServiceOptions Options(bool allow_anonymous) {
  TokenKeys keys;
  EXPECT_TRUE(keys.Add(kSecret, /*others_may_access=*/false).ok());
  AccessPolicy::Options policy;
  policy.tokens = std::make_shared<const TokenVerifier>(
      std::move(keys), TokenOptions{.leeway = absl::ZeroDuration()});
  policy.allow_anonymous = allow_anonymous;
  GroupAccess named;
  named.names_sender = true;
  GroupAccess open;
  for (std::optional<Whom>& whom : open.whom) whom = Whom::kAnyone;
  std::vector<std::pair<std::string, GroupAccess>> rules = {{"named:", named}, {"open:", open}};
  policy.rules = PrefixMap<GroupAccess>(std::move(rules));
  GroupServiceOptions options;
  options.access.policy = std::make_shared<const AccessPolicy>(std::move(policy));
  options.access.timeout = absl::Seconds(10);
  options.access.grace = absl::Seconds(25);
  return options;
}

// One worker's groups, for connections with tokens.
class AccessTest : public GroupServiceFixture {
 protected:
  explicit AccessTest(bool allow_anonymous = false)
      : GroupServiceFixture(Options(allow_anonymous)) {}

  // A connection with these claims of a token.
  std::unique_ptr<FakeMember> Connect(absl::string_view claims) {
    auto member = V1();
    Show(member.get(), Signed(claims));
    return member;
  }
  void Show(FakeMember* member, absl::string_view token) {
    service_.Admit(member, service_.Identify(member, token));
    hub_.Pump();
  }
  void Do(FakeMember* member, const std::string& command) {
    member->received.clear();
    member->Do(command);
    hub_.Pump();
  }
  // The error of a command with this id, or "" if it had another answer.
  std::string ErrorOf(FakeMember* member, const std::string& command) {
    Do(member, command);
    if (member->received.size() != 1) return "no answer";
    const std::string& answer = member->received[0];
    const size_t code = answer.find("\"code\":\"");
    return code == std::string::npos
               ? ""
               : answer.substr(code + 8, answer.find('"', code + 8) - code - 8);
  }
  std::string Join(FakeMember* member, const std::string& group, const std::string& more = "") {
    return ErrorOf(
        member, absl::StrCat(R"({"cmd":"add_group","id":1,"group_id":")", group, "\"", more, "}"));
  }
  std::string SendTo(FakeMember* member, const std::string& group) {
    return ErrorOf(member, absl::StrCat(R"({"cmd":"send_to_group","id":1,"group_id":")", group,
                                        R"(","message":"m"})"));
  }
  std::string Read(FakeMember* member, const std::string& group) {
    Do(member, absl::StrCat(R"({"cmd":"group_history","id":1,"group_id":")", group, "\"}"));
    service_.ServeReaders();
    hub_.Pump();
    service_.ServeReaders();
    if (member->received.size() != 1) return "no answer";
    return absl::StrContains(member->received[0], "forbidden") ? "forbidden" : "";
  }
  void Publish(const std::string& group, const std::string& text) {
    channel_.Publish({.group_id = group, .content = {.data = text}, .key = {}},
                     [](const absl::StatusOr<Position>&) {});
    hub_.Pump();
  }
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_ACCESS_FIXTURE_H_
