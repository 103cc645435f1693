#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TESTING_CERTIFICATES_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TESTING_CERTIFICATES_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace groupcast::service {

// A certificate that signs itself, and its private key, in PEM.
struct CertificateAndKey {
  std::string certificate;
  std::string key;
};

struct CertificateOptions {
  std::string name = "groupcast test";  // its common name
  // What it counts for, whatever the common name is.
  std::string alternative_names = "DNS:localhost,IP:127.0.0.1";
  absl::Duration valid_from = -absl::Hours(1);  // from now
  absl::Duration valid_until = absl::Hours(24);
  std::string passphrase;  // of the key; empty: none
};

// Makes a new pair, of elliptic curves. Throws std::runtime_error if libcrypto cannot.
CertificateAndKey MakeCertificate(const CertificateOptions& options = {});

// Replaces the file in one step, with this mode.
void WriteFile(const std::string& path, absl::string_view content, int mode = 0600);

// New files of a pair in the test's own directory.
struct CertificateFiles {
  explicit CertificateFiles(const CertificateOptions& options = {});
  // The same, with these paths.
  CertificateFiles(std::string certificate_path, std::string key_path);
  // Writes another pair to the same files.
  void Replace(const CertificateAndKey& pair);

  std::string certificate;
  std::string key;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TESTING_CERTIFICATES_H_
