#include "services/groups/member.h"

namespace groupcast::service {

void Member::Reply(absl::string_view json) {
  const SharedBytes bytes = encoding().EncodeEvent(json);
  if (bytes) Send(bytes, TrafficClass::kInteractive);
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
