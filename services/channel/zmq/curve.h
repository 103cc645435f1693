#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_CURVE_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_CURVE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "zmq.hpp"

namespace groupcast::service {

// CURVE (rfc.zeromq.org/spec/25) encrypts the links between workers and a channel server, and each
// side proves its key to the other. All keys are in Z85: 40 letters, digits and signs.
//
// A file has one key at the beginning of a line. A name may follow it, after a space.

// The keys of a channel server.
struct CurveServerKeys {
  std::string secret;
  std::vector<std::string> allowed;  // the public keys of workers
};

// The keys of a worker.
struct CurveClientKeys {
  std::string secret;
  std::string own;     // public
  std::string server;  // public
};

// A file, and the name of its setting for errors.
struct CurveFile {
  std::string name;
  std::string path;
};

// kInvalidArgument: a file cannot be used; the message names the setting, the file, the line and
// what is allowed. Users other than the owner and the group must have no right on a secret.
absl::StatusOr<CurveServerKeys> ReadCurveServerKeys(const CurveFile& secret,
                                                    const CurveFile& allowed);
absl::StatusOr<CurveClientKeys> ReadCurveClientKeys(const CurveFile& secret,
                                                    const CurveFile& server);

// Before the socket connects or binds. A server also needs a ZapServer, or it takes every key.
void UseCurve(const CurveServerKeys& keys, zmq::socket_t& socket);
void UseCurve(const CurveClientKeys& keys, zmq::socket_t& socket);

// What CURVE adds to a frame.
inline constexpr int kCurveFrameOverheadBytes = 64;

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_CURVE_H_
