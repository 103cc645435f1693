#include "groupcast/host_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

absl::StatusOr<HostLookup::Endpoints> Ask(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* results = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &results);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("resolving the host ", host, ": ",
                     error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error)));
  }
  HostLookup::Endpoints endpoints;
  for (const addrinfo* result = results; result != nullptr; result = result->ai_next) {
    tcp::endpoint endpoint;
    if (result->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), result->ai_addr, result->ai_addrlen);
    endpoint.resize(result->ai_addrlen);
    endpoints.push_back(endpoint);
  }
  freeaddrinfo(results);
  return endpoints;
}

}  // namespace

// Shared with the thread, which may outlive the HostLookup.
struct HostLookup::State {
  struct Waiting {
    Handler done;
    // Keeps the loop running meanwhile.
    asio::executor_work_guard<asio::any_io_executor> work;
  };

  explicit State(asio::any_io_executor e) : executor(std::move(e)) {}

  // Under the mutex, also the post: after Cancel() the loop may be gone.
  void Finish(absl::StatusOr<Endpoints> result) {
    const std::lock_guard<std::mutex> lock(mutex);
    running = false;
    if (waiting.has_value()) Answer(std::move(result));
  }

  // Requires the mutex, and `waiting`.
  void Answer(absl::StatusOr<Endpoints> result) {
    asio::post(waiting->work.get_executor(),
               [done = std::move(waiting->done), result = std::move(result)] { done(result); });
    waiting.reset();
  }

  std::mutex mutex;
  asio::any_io_executor executor;  // Until Cancel(); then empty.
  bool running = false;            // The thread is there.
  std::optional<Waiting> waiting;
};

HostLookup::HostLookup(asio::any_io_executor executor, std::string host, std::string port)
    : host_(std::move(host)),
      port_(std::move(port)),
      state_(std::make_shared<State>(std::move(executor))) {}

HostLookup::~HostLookup() {
  Cancel();
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->executor = {};
}

void HostLookup::Start(Handler done) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->waiting.emplace(State::Waiting{
      std::move(done), asio::executor_work_guard<asio::any_io_executor>(state_->executor)});

  boost::system::error_code not_an_address;
  const asio::ip::address address = asio::ip::make_address(host_, not_an_address);
  uint32_t port = 0;
  if (!not_an_address && absl::SimpleAtoi(port_, &port)) {
    return state_->Answer(Endpoints{{address, static_cast<uint16_t>(port)}});
  }

  if (state_->running) return;
  state_->running = true;
  try {
    std::thread([state = state_, host = host_, port = port_] {
      state->Finish(Ask(host, port));
    }).detach();
  } catch (const std::system_error& error) {
    state_->running = false;
    state_->Answer(absl::UnavailableError(
        absl::StrCat("resolving the host ", host_, " needs a thread: ", error.what())));
  }
}

void HostLookup::Cancel() {
  // Released outside of the lock: the handler may hold the last reference to anything.
  std::optional<State::Waiting> released;
  const std::lock_guard<std::mutex> lock(state_->mutex);
  if (!state_->waiting.has_value()) return;
  released.emplace(std::move(*state_->waiting));
  state_->waiting.reset();
}

}  // namespace groupcast
