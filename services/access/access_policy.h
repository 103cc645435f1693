#ifndef GROUPCAST_SERVICES_ACCESS_ACCESS_POLICY_H_
#define GROUPCAST_SERVICES_ACCESS_ACCESS_POLICY_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/access/grants.h"
#include "services/access/token.h"
#include "services/common/prefix_map.h"

namespace groupcast::service {

// Those that a group's rule gives a right.
enum class Whom : uint8_t {
  kAnyone,
  kAuthenticated,  // who has shown a valid token
  kGranted,        // whose token names the group for this right
  kNobody,
};

// The word in group rules: anyone, authenticated, granted or nobody. nullopt: it is none of them.
std::optional<Whom> ReadWhom(absl::string_view word);

// What a group rule says about access. What it leaves out is as without the rule.
struct GroupAccess {
  std::array<std::optional<Whom>, kAllRights.size()> whom;  // by the right
  bool names_sender = false;                                // messages carry `from`
};

// What a connection has shown.
struct Identity {
  std::optional<Token> token;       // for the connection
  std::vector<Token> group_tokens;  // for single groups; their groups differ
  // Of a program with a key of its own: what it may do with groups, and nothing else counts. Not
  // null: it must outlive this. Null: it is no program.
  const Grants* program = nullptr;

  bool is_authenticated() const { return token.has_value(); }
  // It has shown something that is valid.
  bool is_known() const { return is_authenticated() || program != nullptr; }
  absl::string_view user() const {
    return token.has_value() ? absl::string_view(token->user) : absl::string_view();
  }
};

// kPermissionDenied: the group is reserved (group_id.h), so no client may name it. The message is a
// sentence for the client.
absl::Status CheckNotReserved(absl::string_view group_id);

// Who may do what. Threads may share it.
class AccessPolicy {
 public:
  struct Options {
    // Null: there is no authentication. All that group rules do not restrict is for anyone.
    std::shared_ptr<const TokenVerifier> tokens;
    // With authentication: connections without a token may stay. They have what is for anyone.
    bool allow_anonymous = false;
    // A user's connections join the user's personal group, which nobody else may join or read.
    bool personal_groups = true;
    PrefixMap<GroupAccess> rules;
  };

  AccessPolicy() = default;
  explicit AccessPolicy(Options options) : options_(std::move(options)) {}

  // Null: there is no authentication.
  const TokenVerifier* tokens() const { return options_.tokens.get(); }
  // Whether connections without a token may stay, as configured.
  bool allows_anonymous() const { return options_.allow_anonymous; }
  bool personal_groups() const { return options_.personal_groups; }
  // Whether a connection needs a token for any command.
  bool needs_token() const { return options_.tokens != nullptr && !options_.allow_anonymous; }

  // Whether the group is the personal group of the connection's user.
  bool IsPersonal(const Identity& identity, absl::string_view group_id) const;

  // Whether the connection may do this with the group. `identity` is null without a token. Nobody
  // may do anything with a reserved group, and only programs have Right::kManage.
  bool Allows(const Identity* identity, absl::string_view group_id, Right right) const;
  // OK if Allows. kPermissionDenied: the message is a sentence for the client.
  absl::Status Check(const Identity* identity, absl::string_view group_id, Right right) const;

  bool NamesSender(absl::string_view group_id) const;

 private:
  Options options_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_ACCESS_ACCESS_POLICY_H_
