#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_CONTEXT_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_CONTEXT_H_

#include <openssl/ssl.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::service {

// The two files of a TLS server, in PEM.
struct TlsFiles {
  struct File {
    std::string name;  // for errors, such as "--tls_key"
    std::string path;
  };
  // The server's own certificate, and after it the certificates between it and the root.
  File certificate;
  // Its private key, without a passphrase. No user but the owner and the group may have any right
  // on the file.
  File key;
};

// The secrets of session tickets. All workers of a pool have the same, so that a client can resume
// its session at any of them. Tickets of the keys before these ones still count, once.
class TicketKeys {
 public:
  // Random ones. Call it before fork(2).
  TicketKeys();

  // New random ones, which know these.
  TicketKeys Next() const;

 private:
  friend class TlsContext;
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> mac;
  };
  static Key RandomKey();

  std::array<Key, 2> keys_;  // the newest first
};

// A server's certificate and its rules for TLS: versions 1.2 and 1.3, forward secrecy, HTTP/1.1 by
// ALPN, session tickets, no renegotiation and no compression. Immutable. It may be created before
// fork(2).
class TlsContext {
 public:
  // kInvalidArgument: a file cannot be used. The message begins with its name and path, and says
  // what is wrong, or what is allowed.
  // The certificate must be valid at `now`, which is calendar time. `present` may be null, and is
  // the context in use: if it has these very files, its certificate may have expired since.
  static absl::StatusOr<std::shared_ptr<const TlsContext>> Load(
      const TlsFiles& files, const TicketKeys& tickets, absl::Time now,
      const TlsContext* present = nullptr);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  SSL_CTX* get() const { return context_.get(); }
  const TlsFiles& files() const { return files_; }
  const TicketKeys& tickets() const { return tickets_; }

  // The certificate counts until this time.
  absl::Time valid_until() const { return valid_until_; }

  // Whether the files are other ones than those that were loaded, or have been written since.
  bool IsOutdated() const;

 private:
  // What changes when a file is written or replaced.
  struct Version {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t modified_ns = 0;
    int64_t bytes = 0;
    bool operator==(const Version&) const = default;
  };
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  TlsContext(const TlsFiles& files, const TicketKeys& tickets) : files_(files), tickets_(tickets) {}

  // Of a missing file: the default.
  static Version VersionOf(const std::string& path);
  absl::Status SetRules();
  absl::Status LoadCertificate(absl::Time now);
  absl::Status LoadKey();
  static int OnTicket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                      EVP_MAC_CTX* mac, int encrypts);

  const TlsFiles files_;
  const TicketKeys tickets_;
  std::array<Version, 2> versions_;
  bool may_be_expired_ = false;
  absl::Time valid_until_;
  std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_CONTEXT_H_
