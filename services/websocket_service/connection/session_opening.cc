// The part of Session before HTTP: the header of a proxy, and the TLS handshake.

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "services/common/address.h"
#include "services/websocket_service/connection/session.h"
#include "services/websocket_service/proxy/proxy_header.h"

namespace groupcast::service {
namespace {

// The first byte of a TLS connection: the type of the record that has the ClientHello (RFC 8446
// section 5.1).
constexpr unsigned char kTlsHandshakeRecord = 0x16;
constexpr size_t kRecordHeaderBytes = 5;
constexpr size_t kRecordBytesMax = 16 * 1024;  // of one that is not encrypted

// The socket counts as readable when it has this number of bytes, or its end.
void WakeFrom(int socket, size_t bytes) {
  const int low_water = static_cast<int>(bytes);
  setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water));
}

}  // namespace

absl::Status Session::Start() {
  const ProxyPolicy* const proxies = host_->proxies();
  if (proxies != nullptr && proxies->proxy_protocol) {
    const std::optional<IpAddress> peer = IpAddress::OfPeer(socket());
    awaits_proxy_header_ = peer.has_value() && proxies->trusted.Contains(*peer);
    if (awaits_proxy_header_) WakeFrom(socket(), ProxyHeader::kFixedBytes);
  }
  return StartWatching(host_->session_options());
}

bool Session::ReadProxyHeader() {
  std::array<char, ProxyHeader::kBytesMax> input;
  // The socket keeps the bytes until the header is whole, because TLS may begin right behind it.
  const ssize_t count = recv(socket(), input.data(), input.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    End();
    return false;
  }
  ProxyHeader header =
      ProxyHeader::Read(absl::string_view(input.data(), static_cast<size_t>(count)));
  if (header.result == ProxyHeader::Result::kNeedMore) {
    WakeFrom(socket(), header.bytes);
    EndIfPeerEnds();  // the rest will not come
    return false;
  }
  awaits_proxy_header_ = false;
  WakeFrom(socket(), 1);
  if (header.result == ProxyHeader::Result::kInvalid) {
    awaits_tls_ = false;
    HttpAnswer answer = AnswerStranger(Refusal::kNoProxyHeader);
    answer.refused = std::move(header.error);
    host_->OnRefusal(answer, this);
    BeginClosing(SharedBytes::Copy(answer.bytes), /*drop_unsent=*/false);
    return false;
  }
  if (recv(socket(), input.data(), header.bytes, MSG_DONTWAIT) !=
      static_cast<ssize_t>(header.bytes)) {
    Abort();
    return false;
  }
  if (!header.client.has_value()) return true;
  TakeAddress(*header.client);
  // A named client that is a proxy itself names its own client in the request.
  if (!host_->proxies()->trusted.Contains(*header.client)) host_->OnAddress(this);
  return !ended();
}

void Session::TakeAddress(const IpAddress& address) {
  if (told_address_ == nullptr && IpAddress::OfPeer(socket()) == address) return;
  told_address_ = std::make_unique<IpAddress>(address);
}

std::string Session::address_text() const {
  return told_address_ == nullptr ? PeerHost(socket()) : told_address_->Text();
}

bool Session::HasFirstRecord() {
  std::array<unsigned char, kRecordHeaderBytes> header{};
  const ssize_t count = recv(socket(), header.data(), header.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    End();
    return false;
  }
  if (header[0] != kTlsHandshakeRecord) {
    awaits_tls_ = false;
    WakeFrom(socket(), 1);
    const HttpAnswer answer = AnswerStranger(Refusal::kPlain);
    host_->OnRefusal(answer, this);
    BeginClosing(SharedBytes::Copy(answer.bytes), /*drop_unsent=*/false);
    return false;
  }
  size_t bytes = header.size();
  if (count == static_cast<ssize_t>(header.size())) {
    const size_t record = header[3] * 256u + header[4];
    // A longer one is an error, which OpenSSL tells the peer.
    if (record <= kRecordBytesMax) bytes += record;
    if (KernelQueueBytes(socket(), FIONREAD) >= bytes) {
      WakeFrom(socket(), 1);
      return true;
    }
  }
  WakeFrom(socket(), bytes);
  EndIfPeerEnds();
  return false;
}

void Session::EndIfPeerEnds() {
  pollfd end{.fd = socket(), .events = POLLRDHUP, .revents = 0};
  if (poll(&end, 1, 0) > 0) End();
}

bool Session::ContinueTls(bool admitted) {
  if (tls_ == nullptr) {
    if (!admitted) {
      if (!HasFirstRecord()) return false;
      if (!host_->MayShakeHands(this)) {
        IgnoreInput();
        return false;
      }
    }
    shakes_hands_ = true;
    tls_ = TlsStream::Create(host_->tls(), socket());
    if (tls_ == nullptr) {
      Abort();
      return false;
    }
  } else if (!admitted && !host_->MayShakeHands(this)) {
    IgnoreInput();
    return false;
  }
  const TlsStream::Progress progress = host_->ShakeHands(tls_.get());
  const bool has_unsent = tls_->unsent_bytes() > 0;
  WatchForRoom(has_unsent);
  if (progress == TlsStream::Progress::kUnfinished) return false;
  awaits_tls_ = false;
  shakes_hands_ = false;
  host_->OnTlsHandshakeEnds(this);
  if (progress == TlsStream::Progress::kFailed) {
    OnTlsFailed();
    return false;
  }
  SetFull(has_unsent);
  return true;
}

void Session::OnTlsFailed() {
  if (tls_->failure().empty()) return End();
  HttpAnswer answer;
  answer.refusal = Refusal::kTlsHandshake;
  answer.refused = tls_->failure();
  host_->OnRefusal(answer, this);
  // The alert is in the kernel. An orderly end lets the peer read it.
  tls_.reset();
  BeginClosing(SharedBytes(), /*drop_unsent=*/false);
}

}  // namespace groupcast::service
