#include "services/groups/member.h"

#include "services/groups/member_access.h"

namespace groupcast::service {

Member::Member(ConnectionId id, const Encoding* encoding)
    : encoding_(encoding), connection_id_(id) {}

Member::~Member() = default;

void Member::Reply(absl::string_view head, absl::string_view rest, TrafficClass traffic_class) {
  const SharedBytes bytes = encoding().EncodeEvent(head, rest);
  if (bytes) Send(bytes, traffic_class);
}

const Fingerprint& Member::session() {
  if (session_.empty()) {
    // Two texts, where a session that is named has one: they cannot meet.
    session_ = FingerprintOf(
        {"connection", {reinterpret_cast<const char*>(&connection_id_), sizeof(connection_id_)}});
  }
  return session_;
}

void Member::BindSession(absl::string_view user) { session_ = SessionOfUser(user, session()); }

Fingerprint SessionOfUser(absl::string_view user, const Fingerprint& session) {
  // Three texts, where other sessions have one or two.
  return FingerprintOf({"user", user, FingerprintBytes(session)});
}

}  // namespace groupcast::service
