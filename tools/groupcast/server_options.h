#ifndef GROUPCAST_TOOLS_GROUPCAST_SERVER_OPTIONS_H_
#define GROUPCAST_TOOLS_GROUPCAST_SERVER_OPTIONS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::cli {

// Where the WebSocket service is, and how to get in.
struct ServerOptions {
  std::string url = "ws://127.0.0.1:1234";
  std::string ca_file;     // for wss, as ClientOptions::ca_file
  std::string token_file;  // empty: the token is that of GROUPCAST_TOKEN, or there is none
  // How long a command tries to get a connection. Zero: the first attempt must succeed.
  absl::Duration timeout;
};

// Where the HTTP gateway is, and how to get in.
struct GatewayOptions {
  std::string url = "http://127.0.0.1:8080";
  std::string ca_file;   // for https
  std::string key_file;  // empty: the key is that of GROUPCAST_API_KEY, or there is none
};

// The token, or an empty string if there is none. The same for the key of the gateway, which may
// also be a token. kInvalidArgument: the file cannot be read, or other users may access it.
absl::StatusOr<std::string> TokenOf(const ServerOptions& options);
absl::StatusOr<std::string> KeyOf(const GatewayOptions& options);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_SERVER_OPTIONS_H_
