#include "services/channel_server/zap_server.h"

#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

constexpr char kZapEndpoint[] = "inproc://zeromq.zap.01";

// The frames of a question with CURVE.
enum Field : size_t {
  kVersion,
  kRequestId,
  kDomain,
  kAddress,
  kIdentity,
  kMechanism,
  kKey,
  kCount
};

constexpr size_t kKeyBytes = 32;

absl::string_view View(const zmq::message_t& message) {
  return {static_cast<const char*>(message.data()), message.size()};
}

std::string Z85(const zmq::message_t& key) {
  std::array<char, kKeyBytes * 5 / 4 + 1> text{};
  zmq_z85_encode(text.data(), static_cast<const uint8_t*>(key.data()), kKeyBytes);
  return text.data();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ZapServer>> ZapServer::Start(
    zmq::context_t* context, const std::vector<std::string>& allowed) {
  try {
    zmq::socket_t socket(*context, zmq::socket_type::rep);
    socket.set(zmq::sockopt::linger, 0);
    socket.bind(kZapEndpoint);
    return std::unique_ptr<ZapServer>(new ZapServer(context, std::move(socket), allowed));
  } catch (const zmq::error_t& error) {
    return absl::InternalError(absl::StrCat("CURVE: ", error.what()));
  }
}

ZapServer::ZapServer(zmq::context_t* context, zmq::socket_t socket,
                     const std::vector<std::string>& allowed)
    : context_(context),
      socket_(std::move(socket)),
      allowed_(allowed.begin(), allowed.end()),
      thread_([this] { Run(); }) {}

ZapServer::~ZapServer() {
  context_->shutdown();
  thread_.join();
}

void ZapServer::Run() {
  for (;;) {
    try {
      std::vector<zmq::message_t> question;
      do {
        zmq::message_t part;
        if (!socket_.recv(part)) continue;
        question.push_back(std::move(part));
      } while (question.empty() || question.back().more());
      Answer(question);
    } catch (const zmq::error_t& error) {
      if (error.num() == EINTR) continue;
      socket_.close();  // the context ends
      return;
    }
  }
}

void ZapServer::Answer(const std::vector<zmq::message_t>& question) {
  const bool is_curve = question.size() == kCount && View(question[kMechanism]) == "CURVE" &&
                        question[kKey].size() == kKeyBytes;
  const bool may_connect = is_curve && allowed_.count(Z85(question[kKey])) > 0;
  if (!may_connect) {
    if (const int64_t count = log_limit_.Admit(absl::Now())) {
      spdlog::warn(
          "a connection from {} was refused, because {} ({} since the last such line); "
          "--curve_allowed_keys lists the keys of workers",
          question.size() > kAddress ? std::string(View(question[kAddress])) : "nowhere",
          is_curve ? absl::StrCat("its key is not allowed: ", Z85(question[kKey]))
                   : std::string("it has no key"),
          count);
    }
  }
  const auto send = [this](absl::string_view part, bool more) {
    socket_.send(zmq::buffer(part.data(), part.size()),
                 more ? zmq::send_flags::sndmore : zmq::send_flags::none);
  };
  send("1.0", true);
  send(question.size() > kRequestId ? View(question[kRequestId]) : "", true);
  send(may_connect ? "200" : "400", true);
  send(may_connect ? "OK" : "this key is not allowed", true);
  send("", true);   // the user
  send("", false);  // metadata
}

}  // namespace groupcast::service
