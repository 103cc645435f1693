// What a client of the C++ SDK takes of its program's memory. It prints the numbers.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "groupcast/client.h"
#include "services/websocket_service/tls/testing/certificates.h"
#include "tests/support/memory.h"
#include "tests/support/services.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

constexpr int kClients = 1'000;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kKibPerClientMax = 1'000;  // They take memory of their own.
#else
constexpr int64_t kKibPerClientMax = 64;
#endif

class CppClientMemoryTest : public testing::Test {
 protected:
  CppClientMemoryTest() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }

  ~CppClientMemoryTest() override {
    clients_.clear();
    work_.reset();
    loop_.join();
  }

  // A member of the group "all", and of one of its own.
  void AddClient(const std::string& url, const std::string& ca_file) {
    ClientOptions options;
    options.url = url;
    options.ca_file = ca_file;
    options.io_context = &io_;
    auto client = Client::Create(std::move(options));
    ASSERT_TRUE(client.ok()) << client.status();
    for (const std::string& group_id : {std::string("all"), absl::StrCat(clients_.size())}) {
      ASSERT_TRUE((*client)
                      ->Join(
                          group_id, [this](const Message&) { ++messages_; },
                          [this](const absl::StatusOr<Joined>& joined) { joins_ += joined.ok(); })
                      .ok());
    }
    clients_.push_back(*std::move(client));
  }

  void AwaitClients() {
    WaitUntil("all are members", [&] { return joins_ == 2 * static_cast<int>(clients_.size()); });
  }

  void SendToAll(size_t bytes) {
    messages_ = 0;
    ASSERT_TRUE(clients_[0]->Send("all", std::string(bytes, 'x')).ok());
    WaitUntil("all have the message",
              [&] { return messages_ == static_cast<int>(clients_.size()); });
  }

  void Measure(const char* name, const std::string& url, const std::string& ca_file = "") {
    // What the first one needs is the program's own: libraries, CAs, the loop.
    AddClient(url, ca_file);
    AwaitClients();
    SendToAll(100);
    const int64_t before = AnonymousMemoryKib(getpid());
    for (int i = 0; i < kClients; ++i) AddClient(url, ca_file);
    AwaitClients();
    const int64_t idle = AnonymousMemoryKib(getpid()) - before;
    SendToAll(60'000);
    const int64_t after_large = AnonymousMemoryKib(getpid()) - before;
    std::printf(
        "%s: %.1f KiB for each of %d idle clients, %.1f KiB after a message of 60,000 bytes\n",
        name, static_cast<double>(idle) / kClients, kClients,
        static_cast<double>(after_large) / kClients);
    EXPECT_LT(idle / kClients, kKibPerClientMax);
    EXPECT_LT(after_large / kClients, kKibPerClientMax);
  }

 private:
  std::atomic<int> joins_ = 0;
  std::atomic<int> messages_ = 0;
  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_{
      io_.get_executor()};
  std::vector<std::unique_ptr<Client>> clients_;
  std::thread loop_{[this] { io_.run(); }};
};

TEST_F(CppClientMemoryTest, Plain) {
  Groupcast groupcast(/*workers=*/1);
  Measure("ws", absl::StrCat("ws://127.0.0.1:", groupcast.service.port()));
}

TEST_F(CppClientMemoryTest, Tls) {
  const service::CertificateFiles files;
  Groupcast groupcast(/*workers=*/1,
                      {"--tls_certificate=" + files.certificate, "--tls_key=" + files.key});
  Measure("wss", absl::StrCat("wss://127.0.0.1:", groupcast.service.port()), files.certificate);
}

}  // namespace
}  // namespace groupcast::tests
