#include "groupcast/testing/fake_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "groupcast/testing/fake_groups.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

// Only a broken test waits so long.
constexpr auto kDeadline = std::chrono::minutes(1);

constexpr size_t kUnreadBytesMax = size_t{16} << 20;
constexpr uint16_t kCloseNotACommand = 1008;
constexpr char kSubprotocol[] = "groupcast.v1.json";

// The value of ?session= in a request's target; empty if there is none.
absl::string_view SessionOf(absl::string_view target) {
  const size_t query = target.find('?');
  if (query == absl::string_view::npos) return "";
  for (absl::string_view parameter : absl::StrSplit(target.substr(query + 1), '&')) {
    if (absl::ConsumePrefix(&parameter, "session=")) return parameter;
  }
  return "";
}

}  // namespace

// Everything but the constructor, the destructor and Run() happens on the server's own thread.
class FakeServer::Impl {
 public:
  // One client. It lives as long as one of its operations runs.
  class Peer;

  Impl() : endpoint_(asio::ip::address_v4::loopback(), 0) {}
  ~Impl();

  // An error's text, or empty.
  std::string Listen();
  void StopListening() { acceptor_.close(); }
  void Begin() {
    url_ = absl::StrCat("ws://127.0.0.1:", endpoint_.port());
    thread_ = std::thread([this] { io_.run(); });
  }

  const std::string& url() const { return url_; }
  FakeGroups& groups() { return groups_; }

  // Calls `function` on the server's thread, then writes what it has caused.
  template <typename Function>
  auto Run(Function function) {
    auto task = std::make_shared<std::packaged_task<decltype(function())()>>(std::move(function));
    auto result = task->get_future();
    asio::post(io_, [this, task] {
      (*task)();
      Flush();
    });
    return result.get();
  }

  // False: `reached` did not become true.
  bool Await(std::function<bool()> reached);

  // Calls `end` with each connection, which then is a member of nothing.
  void EndAll(const std::function<void(Peer*)>& end);

 private:
  struct Waiter {
    std::function<bool()> reached;
    std::promise<void> done;
  };

  void Accept();
  void Flush();
  void OnOpen(uint64_t id, absl::string_view session);
  void OnFrame(uint64_t id, absl::string_view frame);
  void OnEnd(uint64_t id);

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  tcp::endpoint endpoint_;
  tcp::acceptor acceptor_{io_};
  std::string url_;
  FakeGroups groups_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, std::shared_ptr<Peer>> peers_;
  std::list<std::shared_ptr<Waiter>> waiters_;
  std::thread thread_;
};

class FakeServer::Impl::Peer : public std::enable_shared_from_this<Peer> {
 public:
  Peer(Impl* server, uint64_t id, tcp::socket socket)
      : server_(server), id_(id), stream_(std::move(socket)) {}

  void Start() {
    http::async_read(beast::get_lowest_layer(stream_), buffer_, request_,
                     [self = shared_from_this()](const error_code& error, size_t) {
                       if (error) return self->End();
                       self->Handshake();
                     });
  }

  void Write(std::string frame) {
    unread_bytes_ += frame.size();
    frames_.push_back(std::move(frame));
    if (unread_bytes_ > kUnreadBytesMax) return Cut();
    if (!writing_) WriteNext();
  }

  // Begins the closing handshake. A connection that is not open yet is cut: it has no close frames.
  void Close(uint16_t code, absl::string_view reason) {
    if (!open_) return Cut();
    if (std::exchange(closing_, true)) return;
    close_ = websocket::close_reason(static_cast<websocket::close_code>(code));
    close_.reason = beast::string_view(reason.data(), reason.size());
    if (!writing_) SendClose();
  }

  void Cut() { beast::get_lowest_layer(stream_).close(); }

 private:
  void Handshake() {
    const beast::string_view offered = request_[http::field::sec_websocket_protocol];
    if (!absl::StrContains(absl::string_view(offered.data(), offered.size()), kSubprotocol)) {
      Cut();
      return End();
    }
    stream_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
      response.set(http::field::sec_websocket_protocol, kSubprotocol);
    }));
    stream_.async_accept(request_, [self = shared_from_this()](const error_code& error) {
      if (error) return self->End();
      const beast::string_view target = self->request_.target();
      self->open_ = true;
      self->stream_.text(true);
      self->server_->OnOpen(self->id_, SessionOf(absl::string_view(target.data(), target.size())));
      self->Read();
    });
  }

  void Read() {
    stream_.async_read(buffer_, [self = shared_from_this()](const error_code& error, size_t) {
      if (error) return self->End();
      const std::string frame = beast::buffers_to_string(self->buffer_.cdata());
      self->buffer_.clear();
      self->server_->OnFrame(self->id_, frame);
      self->Read();
    });
  }

  void WriteNext() {
    if (closing_) return SendClose();
    if (frames_.empty()) return;
    writing_ = true;
    stream_.async_write(asio::buffer(frames_.front()),
                        [self = shared_from_this()](const error_code& error, size_t) {
                          self->writing_ = false;
                          if (error) return self->Cut();
                          self->unread_bytes_ -= self->frames_.front().size();
                          self->frames_.pop_front();
                          self->WriteNext();
                        });
  }

  // The reader sees the end.
  void SendClose() {
    stream_.async_close(close_, [self = shared_from_this()](const error_code&) {});
  }

  void End() { server_->OnEnd(id_); }

  Impl* const server_;
  const uint64_t id_;
  websocket::stream<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  std::deque<std::string> frames_;
  size_t unread_bytes_ = 0;
  websocket::close_reason close_;
  bool open_ = false;
  bool writing_ = false;
  bool closing_ = false;
};

FakeServer::Impl::~Impl() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

std::string FakeServer::Impl::Listen() {
  if (acceptor_.is_open()) return "";
  error_code error;
  acceptor_.open(endpoint_.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint_, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) endpoint_ = acceptor_.local_endpoint(error);
  if (error) {
    error_code ignored;
    acceptor_.close(ignored);
    return error.message();
  }
  Accept();
  return "";
}

void FakeServer::Impl::Accept() {
  acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (!error) {
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      const uint64_t id = ++last_id_;
      const auto peer = std::make_shared<Peer>(this, id, std::move(socket));
      peers_.emplace(id, peer);
      peer->Start();
    }
    Accept();
  });
}

void FakeServer::Impl::Flush() {
  for (FakeGroups::Frame& frame : groups_.TakeFrames()) {
    const auto peer = peers_.find(frame.connection);
    if (peer != peers_.end()) peer->second->Write(std::move(frame.text));
  }
  for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
    if ((*waiter)->reached()) {
      (*waiter)->done.set_value();
      waiter = waiters_.erase(waiter);
    } else {
      ++waiter;
    }
  }
}

void FakeServer::Impl::OnOpen(uint64_t id, absl::string_view session) {
  if (peers_.count(id) == 0) return;  // It has been ended.
  groups_.Connect(id, session, absl::Now());
  Flush();
}

void FakeServer::Impl::OnFrame(uint64_t id, absl::string_view frame) {
  const auto peer = peers_.find(id);
  if (peer == peers_.end()) return;  // It has been ended.
  if (!groups_.OnFrame(id, frame, absl::Now())) {
    peer->second->Close(kCloseNotACommand, "not a command of the C++ client");
  }
  Flush();
}

void FakeServer::Impl::OnEnd(uint64_t id) {
  if (peers_.erase(id) == 0) return;
  groups_.Disconnect(id);
  Flush();
}

bool FakeServer::Impl::Await(std::function<bool()> reached) {
  const auto waiter = std::make_shared<Waiter>();
  waiter->reached = std::move(reached);
  std::future<void> done = waiter->done.get_future();
  Run([&] { waiters_.push_back(waiter); });
  if (done.wait_for(kDeadline) == std::future_status::ready) return true;
  Run([&] { waiters_.remove(waiter); });
  return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

void FakeServer::Impl::EndAll(const std::function<void(Peer*)>& end) {
  for (const auto& [id, peer] : std::exchange(peers_, {})) {
    groups_.Disconnect(id);
    end(peer.get());
  }
}

absl::StatusOr<std::unique_ptr<FakeServer>> FakeServer::Start() {
  auto impl = std::make_unique<Impl>();
  if (const std::string error = impl->Listen(); !error.empty()) {
    return absl::UnavailableError(error);
  }
  impl->Begin();
  return std::unique_ptr<FakeServer>(new FakeServer(std::move(impl)));
}

FakeServer::FakeServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

FakeServer::~FakeServer() = default;

const std::string& FakeServer::url() const { return impl_->url(); }

Position FakeServer::Publish(absl::string_view group_id, absl::string_view text) {
  return PublishJson(group_id, QuoteJson(text));
}

Position FakeServer::PublishJson(absl::string_view group_id, absl::string_view json) {
  return impl_->Run([&] { return impl_->groups().Publish(group_id, json, absl::Now()); });
}

std::vector<Message> FakeServer::Messages(absl::string_view group_id) const {
  return impl_->Run([&] { return impl_->groups().Messages(group_id); });
}

absl::Status FakeServer::AwaitMembers(absl::string_view group_id, size_t count) {
  const auto members = [&] { return impl_->groups().MemberCount(group_id); };
  if (impl_->Await([&] { return members() == count; })) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("the group \"", group_id, "\" has ", impl_->Run(members), " members"));
}

absl::Status FakeServer::AwaitMessages(absl::string_view group_id, size_t count) {
  const auto messages = [&] { return impl_->groups().Messages(group_id).size(); };
  if (impl_->Await([&] { return messages() >= count; })) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("the group \"", group_id, "\" has ", impl_->Run(messages), " messages"));
}

void FakeServer::FailNext(absl::string_view cmd, absl::string_view word, bool retry) {
  impl_->Run([&] { impl_->groups().FailNext(cmd, word, retry); });
}

void FakeServer::HoldAcknowledgements() {
  impl_->Run([&] { impl_->groups().HoldReplies(); });
}

void FakeServer::ReleaseAcknowledgements() {
  impl_->Run([&] { impl_->groups().ReleaseReplies(); });
}

void FakeServer::DropConnections() {
  impl_->Run([&] { impl_->EndAll([](Impl::Peer* peer) { peer->Cut(); }); });
}

void FakeServer::CloseConnections(uint16_t code, absl::string_view reason) {
  impl_->Run([&] { impl_->EndAll([&](Impl::Peer* peer) { peer->Close(code, reason); }); });
}

void FakeServer::StopListening() {
  impl_->Run([&] { impl_->StopListening(); });
}

absl::Status FakeServer::Listen() {
  const std::string error = impl_->Run([&] { return impl_->Listen(); });
  return error.empty() ? absl::OkStatus() : absl::UnavailableError(error);
}

void FakeServer::ForgetMessages() {
  impl_->Run([&] { impl_->groups().ForgetMessages(); });
}

}  // namespace groupcast
