#ifndef GROUPCAST_SERVICES_GROUPS_SEND_RULES_H_
#define GROUPCAST_SERVICES_GROUPS_SEND_RULES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/access/access_policy.h"
#include "services/channel/fingerprint.h"
#include "services/common/clock.h"
#include "services/common/prefix_map.h"
#include "services/common/token_bucket.h"
#include "services/groups/send_rates.h"

namespace groupcast::service {

struct SendRulesOptions {
  // Lower limits of messages to the groups with these beginnings.
  PrefixMap<size_t> message_bytes_by_prefix;
  // The messages that each group with such a beginning takes from one sender. Zero per second is no
  // limit.
  PrefixMap<TokenRate> send_rate_by_prefix;
};

// What a message must keep before the channel gets it: the rights of its sender, and the size and
// the rate of its group. A sender need not be a connection.
//
// Not thread-safe.
class SendRules {
 public:
  // `policy` must not be null. `clock` must outlive it.
  SendRules(const SendRulesOptions& options, std::shared_ptr<const AccessPolicy> policy,
            const Clock* clock)
      : options_(options), policy_(std::move(policy)), clock_(clock) {}

  // Whether the sender has the right to send to the group. `sender` is null without a token, here
  // and below.
  bool Allows(const Identity* sender, absl::string_view group_id) const {
    return policy_->Allows(sender, group_id, Right::kSend);
  }

  // OK: the message may go to the group, and the group's rate has one less for the sender.
  // `rates` are the sender's. They are null until a group with a rate needs them.
  // kPermissionDenied: the sender has no right to send to the group. kResourceExhausted: the
  // message is too large for the group. kAborted: it is over the rate of the group. ErrorCodeOf
  // has the word of each.
  absl::Status Take(const Identity* sender, absl::string_view group_id, size_t message_bytes,
                    std::unique_ptr<SendRates>* rates) const;

  // The sender that a message to the group names (Content::from). Empty: none.
  std::string SenderOf(const Identity* sender, uint64_t connection_id,
                       absl::string_view group_id) const;

 private:
  const SendRulesOptions options_;
  const std::shared_ptr<const AccessPolicy> policy_;
  const Clock* const clock_;
};

// The key of a publication (Publication::key). `key` is the client's; empty: it has none.
Fingerprint PublicationKey(const Fingerprint& session, absl::string_view group_id,
                           absl::string_view key);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_SEND_RULES_H_
