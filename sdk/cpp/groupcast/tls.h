#ifndef SDK_CPP_GROUPCAST_TLS_H_
#define SDK_CPP_GROUPCAST_TLS_H_

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace groupcast {

using TlsContext = boost::asio::ssl::context;

// What a client checks the certificates of servers with: the CAs in the PEM file `ca_file`, or
// those of the system if it is empty. TLS 1.2 and later. Clients with the same CAs share a context,
// because those of the system take a megabyte. Thread-safe, as are the contexts.
//
// kInvalidArgument: the file cannot be read, or has no certificate. The message says why.
absl::StatusOr<std::shared_ptr<TlsContext>> LoadTlsContext(const std::string& ca_file);

// Before the handshake: the server must prove to be `host`, a name or an IP address (RFC 9525: a
// subject alternative name counts, the common name does not). Names go into the handshake too
// (SNI). kInternal: OpenSSL cannot; do not shake hands.
absl::Status ExpectHost(const std::string& host, SSL* ssl);

// The reason why the handshake with `host` failed, in plain words. kFailedPrecondition: the
// certificate is not accepted. kUnavailable: anything else.
absl::Status HandshakeFailure(const std::string& host, const SSL* ssl,
                              const boost::system::error_code& error);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TLS_H_
