#ifndef GROUPCAST_SERVICES_CHANNEL_WIRE_CONTENT_H_
#define GROUPCAST_SERVICES_CHANNEL_WIRE_CONTENT_H_

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/proto/wire.pb.h"

namespace groupcast::service {

// The body of a publication or of a message: a Content as protobuf (proto/wire.proto).

// Fills `wire` with `content`. The old values of `wire` are lost.
void ContentToWire(const Content& content, channel::v1::Content* wire);

// Reads a body into `content`. The views of `content` point into `wire`. False: this version cannot
// read the body. A caller that reuses `wire` saves an allocation for each message.
bool ContentFromWire(absl::string_view body, channel::v1::Content* wire, Content* content);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_WIRE_CONTENT_H_
