#include "tests/faults/flaky_proxy.h"

#include <algorithm>
#include <array>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/buffer.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/asio/write.hpp"
#include "tests/support/wait.h"

namespace groupcast::tests {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

// One connection, its two ends and what is on its way between them: one read's worth each way.
class FlakyProxy::Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  Pipe(asio::io_context* io, Tcp::socket client)
      : ends_{std::move(client), Tcp::socket(*io)}, stall_(*io) {}

  void Start(uint16_t target) {
    ends_[1].async_connect(Tcp::endpoint(asio::ip::address_v4::loopback(), target),
                           [self = shared_from_this()](error_code error) {
                             if (error || self->closed_) return self->Close();
                             for (Tcp::socket& end : self->ends_) {
                               error_code ignored;
                               end.set_option(Tcp::no_delay(true), ignored);
                             }
                             self->Read(0);
                             self->Read(1);
                           });
  }

  bool closed() const { return closed_; }

  void Close() {
    closed_ = true;
    stall_.cancel();
    for (Tcp::socket& end : ends_) {
      error_code ignored;
      end.close(ignored);
    }
  }

  void Reset() {
    for (Tcp::socket& end : ends_) {
      error_code ignored;
      end.set_option(Tcp::socket::linger(true, 0), ignored);
    }
    Close();
  }

  void Stall(absl::Duration duration) {
    stalled_ = true;
    stall_.expires_after(absl::ToChronoMilliseconds(duration));
    stall_.async_wait([self = shared_from_this()](error_code error) {
      // Cancelled: a new stall has taken its place, or the connection is closed.
      if (!error) self->EndStall();
    });
  }

  void EndStall() {
    if (!stalled_ || closed_) return;
    stalled_ = false;
    stall_.cancel();
    for (size_t from : {0, 1}) {
      if (std::exchange(waiting_[from], false)) Write(from);
    }
  }

 private:
  void Read(size_t from) {
    ends_[from].async_read_some(asio::buffer(buffers_[from]),
                                [self = shared_from_this(), from](error_code error, size_t count) {
                                  if (error || self->closed_) return self->Close();
                                  self->counts_[from] = count;
                                  if (self->stalled_) {
                                    self->waiting_[from] = true;
                                  } else {
                                    self->Write(from);
                                  }
                                });
  }

  void Write(size_t from) {
    asio::async_write(ends_[1 - from], asio::buffer(buffers_[from], counts_[from]),
                      [self = shared_from_this(), from](error_code error, size_t) {
                        if (error || self->closed_) return self->Close();
                        self->Read(from);
                      });
  }

  std::array<Tcp::socket, 2> ends_;  // the client's and the target's
  std::array<std::array<char, 64 * 1024>, 2> buffers_;
  std::array<size_t, 2> counts_ = {};
  std::array<bool, 2> waiting_ = {};  // read from this end, and held by the stall
  bool stalled_ = false;
  bool closed_ = false;
  asio::steady_timer stall_;
};

struct FlakyProxy::Route {
  Route(asio::io_context* io, uint16_t target_port)
      : acceptor(*io, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        port(acceptor.local_endpoint().port()),
        target(target_port) {}

  Tcp::acceptor acceptor;
  const uint16_t port;
  const uint16_t target;
  std::vector<std::shared_ptr<Pipe>> pipes;
};

FlakyProxy::FlakyProxy(const std::vector<uint16_t>& targets) {
  try {
    for (const uint16_t target : targets) routes_.push_back(std::make_unique<Route>(&io_, target));
  } catch (const boost::system::system_error& error) {
    throw Failure(absl::StrCat("the proxy cannot listen: ", error.what()));
  }
  for (const std::unique_ptr<Route>& route : routes_) Accept(route.get());
  thread_ = std::thread([this] { io_.run(); });
}

FlakyProxy::~FlakyProxy() {
  io_.stop();
  thread_.join();
}

uint16_t FlakyProxy::port(size_t route) const { return routes_[route]->port; }

bool FlakyProxy::Cut(size_t route, uint64_t pick) {
  return Do([this, route, pick] {
    const std::shared_ptr<Pipe> pipe = Pick(routes_[route].get(), pick);
    if (pipe != nullptr) pipe->Close();
    return pipe != nullptr;
  });
}

bool FlakyProxy::Reset(size_t route, uint64_t pick) {
  return Do([this, route, pick] {
    const std::shared_ptr<Pipe> pipe = Pick(routes_[route].get(), pick);
    if (pipe != nullptr) pipe->Reset();
    return pipe != nullptr;
  });
}

bool FlakyProxy::Stall(size_t route, uint64_t pick, absl::Duration duration) {
  return Do([this, route, pick, duration] {
    const std::shared_ptr<Pipe> pipe = Pick(routes_[route].get(), pick);
    if (pipe != nullptr) pipe->Stall(duration);
    return pipe != nullptr;
  });
}

void FlakyProxy::EndStalls() {
  Do([this] {
    for (const std::unique_ptr<Route>& route : routes_) {
      for (const std::shared_ptr<Pipe>& pipe : route->pipes) pipe->EndStall();
    }
    return true;
  });
}

void FlakyProxy::Accept(Route* route) {
  route->acceptor.async_accept([this, route](error_code error, Tcp::socket client) {
    if (!error) {
      std::erase_if(route->pipes, [](const auto& pipe) { return pipe->closed(); });
      route->pipes.push_back(std::make_shared<Pipe>(&io_, std::move(client)));
      route->pipes.back()->Start(route->target);
    }
    Accept(route);
  });
}

std::shared_ptr<FlakyProxy::Pipe> FlakyProxy::Pick(Route* route, uint64_t pick) {
  std::erase_if(route->pipes, [](const auto& pipe) { return pipe->closed(); });
  if (route->pipes.empty()) return nullptr;
  return route->pipes[pick % route->pipes.size()];
}

bool FlakyProxy::Do(const std::function<bool()>& what) {
  std::promise<bool> done;
  asio::post(io_, [&] { done.set_value(what()); });
  return done.get_future().get();
}

}  // namespace groupcast::tests
