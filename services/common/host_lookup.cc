#include "services/common/host_lookup.h"

#include <netdb.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

absl::StatusOr<HostLookup::Addresses> Look(const std::string& host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found);
  if (error != 0) {
    const std::string message = absl::StrCat("the host \"", host, "\": ", gai_strerror(error));
    if (error == EAI_NONAME || error == EAI_NODATA) {
      return (flags & AI_NUMERICHOST) != 0 ? absl::InvalidArgumentError(message)
                                           : absl::NotFoundError(message);
    }
    return absl::UnavailableError(message);
  }
  HostLookup::Addresses addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    SocketAddress address;
    address.size = at->ai_addrlen;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace

// Both have it, and the last one destroys it.
struct HostLookup::Shared {
  std::string host;
  uint16_t port = 0;
  Fd wakeup;  // of the loop
  std::atomic<bool> is_done = false;
  absl::StatusOr<Addresses> result = absl::UnavailableError("the lookup has not ended");
};

HostLookup::HostLookup(EventLoop* loop, const std::string& host, uint16_t port, Done done)
    : loop_(loop), done_(std::move(done)), shared_(std::make_shared<Shared>()) {
  shared_->host = host;
  shared_->port = port;
  shared_->wakeup = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  is_watched_ = shared_->wakeup.valid() && loop_->Add(shared_->wakeup.get(), EPOLLIN, this).ok();
  const auto finish = [shared = shared_] {
    shared->is_done = true;
    eventfd_write(shared->wakeup.get(), 1);
  };
  try {
    std::thread([shared = shared_, finish] {
      shared->result = Look(shared->host, shared->port, 0);
      finish();
    }).detach();
  } catch (const std::system_error& error) {
    shared_->result = absl::UnavailableError(
        absl::StrCat("the host \"", host, "\" was not looked up: ", error.what()));
    finish();
  }
}

HostLookup::~HostLookup() {
  if (is_watched_) loop_->Remove(shared_->wakeup.get(), this);
}

void HostLookup::OnEvents(uint32_t) {
  if (!shared_->is_done) return;
  loop_->Remove(shared_->wakeup.get(), this);
  is_watched_ = false;
  const Done done = done_;  // it may destroy this object
  done(std::move(shared_->result));
}

absl::StatusOr<HostLookup::Addresses> HostLookup::OfNumbers(const std::string& host,
                                                            uint16_t port) {
  return Look(host, port, AI_NUMERICHOST);
}

}  // namespace groupcast::service
