#include "groupcast/random.h"

#include <random>

#include "absl/strings/str_cat.h"

namespace groupcast {

std::string RandomHex(int bytes) {
  std::random_device random;
  std::string hex;
  for (int i = 0; i < bytes; i += 4) {
    absl::StrAppend(&hex, absl::Hex(random(), absl::kZeroPad8));
  }
  return hex;
}

}  // namespace groupcast
