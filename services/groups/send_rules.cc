#include "services/groups/send_rules.h"

#include <type_traits>

#include "absl/strings/str_cat.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

absl::string_view Bytes(const Fingerprint& fingerprint) {
  static_assert(std::has_unique_object_representations_v<Fingerprint>);
  return {reinterpret_cast<const char*>(&fingerprint), sizeof(fingerprint)};
}

}  // namespace

absl::Status SendRules::Take(const Identity* sender, absl::string_view group_id,
                             size_t message_bytes, std::unique_ptr<SendRates>* rates) const {
  if (absl::Status status = policy_->Check(sender, group_id, Right::kSend); !status.ok()) {
    return status;
  }
  const size_t* const bytes_max = options_.message_bytes_by_prefix.Find(group_id);
  if (bytes_max != nullptr && message_bytes > *bytes_max) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the message has ", message_bytes, " bytes; the limit of this group is ", *bytes_max));
  }
  const TokenRate* const rate = options_.send_rate_by_prefix.Find(group_id);
  if (rate == nullptr || rate->per_second <= 0) return absl::OkStatus();
  if (*rates == nullptr) *rates = std::make_unique<SendRates>();
  if ((*rates)->Take(group_id, *rate, clock_->Now())) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("this group takes ", rate->per_second,
                                         " messages a second from one connection, after ",
                                         rate->burst, " at once"));
}

std::string SendRules::SenderOf(const Identity* sender, uint64_t connection_id,
                                absl::string_view group_id) const {
  if (!policy_->NamesSender(group_id)) return "";
  // A program speaks for the application, and not for itself.
  if (sender != nullptr && sender->program != nullptr) return "";
  return SenderJson(sender == nullptr ? absl::string_view() : sender->user(), connection_id);
}

Fingerprint PublicationKey(const Fingerprint& session, absl::string_view group_id,
                           absl::string_view key) {
  if (key.empty()) return {};
  return FingerprintOf({Bytes(session), group_id, key});
}

}  // namespace groupcast::service
