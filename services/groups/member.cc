#include "services/groups/member.h"

namespace groupcast::service {

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

}  // namespace groupcast::service
