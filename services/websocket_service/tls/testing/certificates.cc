#include "services/websocket_service/tls/testing/certificates.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

void Require(bool ok, absl::string_view what) {
  if (!ok) throw std::runtime_error(absl::StrCat("libcrypto cannot ", what));
}

std::string TextOf(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<size_t>(size)};
}

std::string NewPath(absl::string_view name) {
  static int count = 0;
  const char* const directory = std::getenv("TEST_TMPDIR");
  return absl::StrCat(directory == nullptr ? "/tmp" : directory, "/", getpid(), ".", ++count, ".",
                      name);
}

}  // namespace

CertificateAndKey MakeCertificate(const CertificateOptions& options) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  Require(key != nullptr && certificate != nullptr, "make a key");
  X509_set_version(certificate.get(), X509_VERSION_3);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()),
                  static_cast<long>(absl::ToInt64Seconds(options.valid_from)));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()),
                  static_cast<long>(absl::ToInt64Seconds(options.valid_until)));
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), name);
  for (const auto& [nid, value] : {std::pair{NID_basic_constraints, "critical,CA:TRUE"},
                                   {NID_subject_alt_name, options.alternative_names.c_str()}}) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    Require(extension != nullptr && X509_add_ext(certificate.get(), extension, -1) == 1,
            "make an extension");
    X509_EXTENSION_free(extension);
  }
  Require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "sign a certificate");

  const std::unique_ptr<BIO, decltype(&BIO_free)> certificate_text(BIO_new(BIO_s_mem()), &BIO_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> key_text(BIO_new(BIO_s_mem()), &BIO_free);
  const std::string& passphrase = options.passphrase;
  Require(PEM_write_bio_X509(certificate_text.get(), certificate.get()) == 1 &&
              PEM_write_bio_PKCS8PrivateKey(
                  key_text.get(), key.get(), passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
                  passphrase.data(), static_cast<int>(passphrase.size()), nullptr, nullptr) == 1,
          "write PEM");
  return {.certificate = TextOf(certificate_text.get()), .key = TextOf(key_text.get())};
}

void WriteFile(const std::string& path, absl::string_view content, int mode) {
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool ok =
      fd >= 0 &&
      write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
      fchmod(fd, static_cast<mode_t>(mode)) == 0;
  if (fd >= 0) close(fd);
  if (!ok || rename(fresh.c_str(), path.c_str()) != 0) {
    throw std::runtime_error(absl::StrCat("cannot write ", path));
  }
}

CertificateFiles::CertificateFiles(const CertificateOptions& options)
    : certificate(NewPath("certificate.pem")), key(NewPath("key.pem")) {
  Replace(MakeCertificate(options));
}

CertificateFiles::CertificateFiles(std::string certificate_path, std::string key_path)
    : certificate(std::move(certificate_path)), key(std::move(key_path)) {
  Replace(MakeCertificate());
}

void CertificateFiles::Replace(const CertificateAndKey& pair) {
  WriteFile(certificate, pair.certificate);
  WriteFile(key, pair.key);
}

}  // namespace groupcast::service
