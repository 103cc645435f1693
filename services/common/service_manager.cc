#include "services/common/service_manager.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

std::string TakeVariable(const char* name) {
  const char* const value = std::getenv(name);
  const std::string taken = value == nullptr ? "" : value;
  unsetenv(name);
  return taken;
}

// A path, or the name of an abstract socket (unix(7)) with `@` for its first byte. nullopt: it is
// neither, or is too long. Then errno is set.
std::optional<socklen_t> ParseAddress(absl::string_view text, sockaddr_un* address) {
  errno = EAFNOSUPPORT;
  if (text.size() < 2 || (text[0] != '/' && text[0] != '@')) return std::nullopt;
  errno = ENAMETOOLONG;
  if (text.size() >= sizeof(address->sun_path)) return std::nullopt;
  *address = {.sun_family = AF_UNIX, .sun_path = {}};
  text.copy(address->sun_path, text.size());
  if (text[0] == '@') address->sun_path[0] = '\0';
  const size_t terminator = text[0] == '/' ? 1 : 0;  // an abstract name ends without one
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + terminator);
}

// Half of the watchdog's time. InfiniteDuration: there is none for this process.
absl::Duration SignPeriod() {
  const std::string watchdog = TakeVariable("WATCHDOG_USEC");
  const std::string pid = TakeVariable("WATCHDOG_PID");
  int64_t microseconds = 0;
  if (!absl::SimpleAtoi(watchdog, &microseconds) || microseconds <= 0) {
    return absl::InfiniteDuration();
  }
  if (!pid.empty() && pid != absl::StrCat(getpid())) return absl::InfiniteDuration();
  return absl::Microseconds(microseconds) / 2;
}

}  // namespace

ServiceManager ServiceManager::FromEnvironment() {
  const absl::Duration sign_period = SignPeriod();
  const std::string name = TakeVariable("NOTIFY_SOCKET");
  if (name.empty()) return {};
  ServiceManager manager(Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  const std::optional<socklen_t> bytes = ParseAddress(name, &manager.address_);
  if (!manager.socket_.valid() || !bytes.has_value()) {
    spdlog::warn("the service manager will not hear of this service: NOTIFY_SOCKET={}: {}", name,
                 strerror(errno));
    return {};
  }
  manager.address_bytes_ = *bytes;
  manager.sign_period_ = sign_period;
  if (sign_period != absl::InfiniteDuration()) {
    manager.sign_at_ = manager.next_ = absl::InfinitePast();
  }
  return manager;
}

void ServiceManager::Status(absl::string_view status) { Tell("", status); }

void ServiceManager::Ready(absl::string_view status) { Tell("READY=1\n", status); }

void ServiceManager::Reloading(absl::string_view status, absl::Time now) {
  Tell(absl::StrCat("RELOADING=1\nMONOTONIC_USEC=", absl::ToUnixMicros(now), "\n"), status);
}

void ServiceManager::Stopping(absl::string_view status) { Tell("STOPPING=1\n", status); }

void ServiceManager::Tell(std::string state, absl::string_view status) {
  if (!socket_.valid()) return;
  if (!state.empty()) unsent_state_ = std::move(state);
  // A line of the protocol is an assignment, so the status is one line.
  unsent_status_ = absl::StrReplaceAll(status.substr(0, kStatusBytesMax), {{"\n", " "}});
  if (!SendUnsent()) next_ = absl::InfinitePast();
}

bool ServiceManager::SendUnsent() {
  if (unsent_status_.empty()) return true;
  if (!Send(absl::StrCat(unsent_state_, "STATUS=", unsent_status_))) return false;
  unsent_state_.clear();
  unsent_status_.clear();
  return true;
}

void ServiceManager::SendDue(absl::Time now) {
  bool sent = SendUnsent();
  if (sent && now >= sign_at_) {
    sent = Send("WATCHDOG=1");
    if (sent) sign_at_ = now + sign_period_;
  }
  next_ = sent ? sign_at_ : now + kRetryPeriod;
  if (sent) return;
  const int error = errno;
  if (const int64_t count = failures_.Admit(now)) {
    spdlog::warn(
        "the service manager does not hear of this service, which goes on: {} ({} attempts since "
        "the last such line)",
        strerror(error), count);
  }
}

bool ServiceManager::Send(absl::string_view text) const {
  return sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL,
                reinterpret_cast<const sockaddr*>(&address_), address_bytes_) >= 0;
}

}  // namespace groupcast::service
