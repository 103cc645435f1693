#include "services/channel/wire_content.h"

#include <string>

namespace groupcast::service {

void ContentToWire(const Content& content, channel::v1::Content* wire) {
  wire->set_kind(content.kind == Content::Kind::kText ? channel::v1::Content::TEXT
                                                      : channel::v1::Content::JSON);
  wire->set_data(content.data.data(), content.data.size());
  wire->set_sent_at_ms(content.sent_at_ms);
  if (content.excluded_session.empty()) {
    wire->clear_excluded_session();
  } else {
    wire->set_excluded_session(FingerprintBytes(content.excluded_session));
  }
  if (content.from.empty()) {
    wire->clear_from();
  } else {
    wire->set_from(content.from.data(), content.from.size());
  }
}

bool ContentFromWire(absl::string_view body, channel::v1::Content* wire, Content* content) {
  if (!wire->ParseFromArray(body.data(), static_cast<int>(body.size()))) return false;
  switch (wire->kind()) {
    case channel::v1::Content::TEXT:
      content->kind = Content::Kind::kText;
      break;
    case channel::v1::Content::JSON:
      content->kind = Content::Kind::kJson;
      break;
    default:
      return false;
  }
  content->data = wire->data();
  content->sent_at_ms = wire->sent_at_ms();
  content->excluded_session = {};
  content->from = wire->from();
  if (const std::string& excluded = wire->excluded_session(); !excluded.empty()) {
    if (excluded.size() != sizeof(Fingerprint)) return false;
    content->excluded_session = FingerprintFromBytes(excluded);
  }
  return true;
}

}  // namespace groupcast::service
