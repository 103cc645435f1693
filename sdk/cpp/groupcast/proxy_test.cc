// Clients behind a proxy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "groupcast/testing/client_fixture.h"
#include "groupcast/testing/relay.h"

namespace groupcast {
namespace {

using testing::HasSubstr;
using testing::Not;

class ProxyTest : public ClientTest {
 protected:
  ProxyTest() { options_.proxy = absl::StrCat("http://127.0.0.1:", proxy_.port()); }
  ~ProxyTest() override { client_.reset(); }

  // HOST:PORT of the server.
  std::string Authority() const {
    const std::string url = server_.url();
    return url.substr(5, url.rfind('/') - 5);
  }

  ScriptedProxy proxy_;
};

TEST_F(ProxyTest, EverythingGoesThroughIt) {
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", absl::StrCat("\"", std::string(300000, 'x'), "\""), 1, 2));
  EXPECT_EQ(messages_.Pop()->text->size(), 300000u);
  ASSERT_OK(client_->Send("g", std::string(60000, 'y'), OnSent()));
  ASSERT_OK(peer_->Reply(Expect("send_to_group").id, "g", {"e", 3}));
  EXPECT_EQ(sends_.Pop()->position.offset, 3u);
  ASSERT_EQ(proxy_.requests().size(), 1u);
  const std::string request = proxy_.requests()[0];
  EXPECT_TRUE(absl::StartsWith(request, absl::StrCat("CONNECT ", Authority(), " HTTP/1.1\r\n")))
      << request;
  EXPECT_THAT(request, HasSubstr(absl::StrCat("Host: ", Authority(), "\r\n")));
  EXPECT_THAT(request, Not(HasSubstr("Proxy-Authorization")));

  peer_->Cut();
  peer_ = Accept();
  EXPECT_EQ(proxy_.requests().size(), 2u) << "so do later connections";
}

TEST_F(ProxyTest, TheProxyResolvesTheNameAndGetsThePassword) {
  options_.proxy = absl::StrCat("http://user:p%40ss@127.0.0.1:", proxy_.port());
  options_.url = absl::StrCat("ws://only-the-proxy-knows.invalid",
                              server_.url().substr(server_.url().rfind(':')));
  StartAndAccept();
  const std::string request = proxy_.requests().at(0);
  EXPECT_TRUE(absl::StartsWith(request, "CONNECT only-the-proxy-knows.invalid:")) << request;
  EXPECT_THAT(request, HasSubstr("\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n"));
}

TEST_F(ProxyTest, AnAddressOfVersion6IsInBrackets) {
  proxy_.AnswerWith("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  options_.url = "ws://[2001:db8::1]:1234/";
  Start();
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StartsWith(proxy_.requests().at(0), "CONNECT [2001:db8::1]:1234 HTTP/1.1\r\n"));
}

TEST_F(ProxyTest, ARefusalForGoodEndsTheClient) {
  const std::pair<int, StatusCode> cases[] = {{407, StatusCode::kUnauthenticated},
                                              {403, StatusCode::kPermissionDenied}};
  for (const auto& [http_status, code] : cases) {
    proxy_.AnswerWith(
        absl::StrCat("HTTP/1.1 ", http_status, " No\r\nContent-Length: 4\r\n\r\nnope"));
    Start();
    EXPECT_EQ(AwaitState(ConnectionState::kClosed, code),
              absl::StrCat("the proxy refused the connection with HTTP ", http_status));
    client_->Close();
    EXPECT_TRUE(states_.empty());
    client_.reset();
  }
  EXPECT_EQ(proxy_.requests().size(), 2u) << "each is asked once";
}

TEST_F(ProxyTest, ARefusalForTheMomentIsTriedAgain) {
  proxy_.AnswerWith("HTTP/1.1 504 Gateway Timeout\r\n\r\n");
  Start();
  EXPECT_EQ(AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable),
            "the proxy refused the connection with HTTP 504");
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  proxy_.AnswerWith("");
  peer_ = Accept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
}

TEST_F(ProxyTest, AnAnswerThatIsNoHttpIsTold) {
  for (const char* answer : {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n"}) {
    proxy_.AnswerWith(answer);
    Start();
    EXPECT_THAT(AwaitState(ConnectionState::kWaiting, StatusCode::kInternal),
                HasSubstr("the proxy"));
    client_.reset();
  }
}

TEST_F(ProxyTest, BytesThatAreNotTheServersAreRefused) {
  proxy_.AnswerWith("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n");
  Start();
  EXPECT_EQ(AwaitState(ConnectionState::kWaiting, StatusCode::kInternal),
            "the proxy sent more than its answer");
}

TEST_F(ProxyTest, AProxyThatHangsUpIsTold) {
  proxy_.AnswerWith("HTTP/1.1 200");
  Start();
  EXPECT_THAT(AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable),
              HasSubstr("the proxy"));
}

TEST_F(ProxyTest, HeadersWithoutEndAreRefused) {
  options_.connect_timeout = absl::Hours(1);
  proxy_.AnswerWithoutEnd("HTTP/1.1 200 OK\r\n");  // its second line is no field
  Start();
  AwaitState(ConnectionState::kWaiting, StatusCode::kInternal);
  client_.reset();
  proxy_.AnswerWithoutEnd("HTTP/1.1 200 OK\r\nX: " + std::string(9000, 'x'));
  Start();
  EXPECT_THAT(AwaitState(ConnectionState::kWaiting, StatusCode::kInternal), HasSubstr("header"));
}

TEST_F(ProxyTest, AProxyThatIsNotThereIsTold) {
  options_.proxy = "http://127.0.0.1:1";
  Start();
  EXPECT_THAT(AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable),
              HasSubstr("connecting to the proxy"));
}

TEST_F(ProxyTest, MayBeDestroyedWhileTheProxyAnswers) {
  options_.connect_timeout = absl::Hours(1);
  proxy_.AnswerWithoutEnd("\r\n");
  for (int i = 0; i < 20; ++i) {
    Start();
    client_.reset();
  }
}

}  // namespace
}  // namespace groupcast
