// Makes a pair of CURVE keys: NAME.secret, for the owner of the key alone, and NAME.public. It
// never overwrites a file.
//
//   curve_key NAME

#include <fcntl.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace groupcast {
namespace {

// Z85, and its terminating NUL.
using Key = std::array<char, 41>;

bool Write(const std::string& path, absl::string_view text, mode_t mode) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  const bool ok = fd >= 0 &&
                  write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                  fsync(fd) == 0;
  if (!ok) std::fprintf(stderr, "curve_key: cannot write %s: %s\n", path.c_str(), strerror(errno));
  if (fd >= 0) close(fd);
  return ok;
}

int Main(const std::string& name) {
  Key public_key{};
  Key secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
    std::fprintf(stderr, "curve_key: %s\n", zmq_strerror(zmq_errno()));
    return 1;
  }
  const absl::string_view label = absl::string_view(name).substr(name.rfind('/') + 1);
  if (!Write(name + ".secret", absl::StrCat(secret_key.data(), "\n"), 0600)) return 1;
  if (!Write(name + ".public", absl::StrCat(public_key.data(), " ", label, "\n"), 0644)) {
    unlink((name + ".secret").c_str());
    return 1;
  }
  std::printf("%s.secret: keep it secret\n%s.public: %s\n", name.c_str(), name.c_str(),
              public_key.data());
  return 0;
}

}  // namespace
}  // namespace groupcast

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0') {
    std::fprintf(stderr, "usage: curve_key NAME\n");
    return 2;
  }
  return groupcast::Main(argv[1]);
}
