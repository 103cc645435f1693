#include "services/metrics/process_usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {
namespace {

namespace fs = std::filesystem;

// The places of fields in /proc/PID/stat after the name (proc(5)).
constexpr size_t kUserTime = 11;
constexpr size_t kSystemTime = 12;
constexpr size_t kResidentPages = 21;

}  // namespace

std::optional<ProcessUsage> ReadProcessUsage(pid_t pid) {
  const std::string directory = absl::StrCat("/proc/", pid);
  std::ifstream file(directory + "/stat");
  const std::string stat(std::istreambuf_iterator<char>(file), {});
  // The name of a program may contain spaces and parentheses.
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(stat).substr(name_end + 2), ' ');
  uint64_t user = 0;
  uint64_t system = 0;
  uint64_t pages = 0;
  if (fields.size() <= kResidentPages || !absl::SimpleAtoi(fields[kUserTime], &user) ||
      !absl::SimpleAtoi(fields[kSystemTime], &system) ||
      !absl::SimpleAtoi(fields[kResidentPages], &pages)) {
    return std::nullopt;
  }
  ProcessUsage usage;
  usage.cpu_seconds =
      static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  usage.resident_bytes = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::error_code error;
  for (fs::directory_iterator entry(directory + "/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++usage.open_files;
  }
  return usage;
}

}  // namespace groupcast::service
