#include "services/groups/member.h"

#include "absl/strings/string_view.h"

namespace groupcast::service {

const Fingerprint& Member::session() {
  if (session_.empty()) {
    // Two texts, where a session that is named has one: they cannot meet.
    session_ = FingerprintOf(
        {"connection", {reinterpret_cast<const char*>(&connection_id_), sizeof(connection_id_)}});
  }
  return session_;
}

}  // namespace groupcast::service
