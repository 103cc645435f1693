// One connection with a real socket, on a channel in memory. The test runs the turns of its worker.

#include "services/http_gateway/connection.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"
#include "services/channel/memory/memory_channel.h"

namespace groupcast::service {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

GroupServiceOptions Options() {
  TokenKeys keys;
  EXPECT_TRUE(keys.Add(kSecret, /*others_may_access=*/false).ok());
  AccessPolicy::Options policy;
  policy.tokens = std::make_shared<const TokenVerifier>(
      std::move(keys), TokenOptions{.leeway = absl::ZeroDuration()});
  policy.allow_anonymous = true;
  GroupAccess open;
  for (std::optional<Whom>& whom : open.whom) whom = Whom::kAnyone;
  std::vector<std::pair<std::string, GroupAccess>> rules = {{"g", open}};
  policy.rules = PrefixMap<GroupAccess>(std::move(rules));
  GroupServiceOptions options;
  options.access.policy = std::make_shared<const AccessPolicy>(std::move(policy));
  return options;
}

// A token that is valid for this time.
std::string TokenFor(absl::string_view user, absl::Duration validity) {
  return HmacToken(absl::StrCat("{\"sub\":\"", user,
                                "\",\"exp\":", absl::ToUnixSeconds(absl::Now() + validity), "}"),
                   kSecret);
}

std::string Get(absl::string_view target, absl::string_view fields = "") {
  return absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: localhost\r\n", fields, "\r\n");
}

std::string Post(absl::string_view target, absl::string_view body, absl::string_view fields = "") {
  return absl::StrCat("POST ", target,
                      " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      "Content-Length: ",
                      body.size(), "\r\n", fields, "\r\n", body);
}

class ConnectionTest : public testing::Test, protected ConnectionHost {
 protected:
  enum class Waits { kNothing, kIdle, kReading, kAnswering, kWriting, kStreaming, kClosing };

  explicit ConnectionTest(const GroupServiceOptions& options = Options())
      : groups_(options, &clock_), hub_(Epoch{0x0a}), channel_(&hub_, &groups_) {
    groups_.SetChannel(&channel_);
    clock_.Advance(absl::Hours(24 * 365 * 10));  // it is ahead of the loop's
    channel_.SetConnected(true);
    absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
    EXPECT_TRUE(loop.ok());
    loop_ = *std::move(loop);
    Connect();
  }

  // A new connection in place of the present one.
  void Connect() {
    int sockets[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets), 0);
    client_ = Fd(sockets[0]);
    connection_ = std::make_unique<Connection>(static_cast<ConnectionHost*>(this), loop_.get(),
                                               Fd(sockets[1]), ConnectionId{RandomId()});
    ASSERT_TRUE(connection_->Start().ok());
  }

  // Runs turns until nothing happens any more.
  void Turns() {
    for (int i = 0; i < 10; ++i) {
      loop_->RunOnce(absl::ZeroDuration());
      hub_.Pump();
      groups_.ServeReaders();
      if (connection_ == nullptr) continue;
      if (touched_) {
        touched_ = false;
        connection_->Flush();
      }
      if (connection_->ended()) {
        connection_.reset();
      } else if (connection_->recoveries > 0 && connection_->drained()) {
        groups_.OnDrained(connection_.get());
      }
    }
  }

  void Write(absl::string_view bytes) {
    ASSERT_EQ(write(client_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    Turns();
  }

  // All that the client has been sent since the last call.
  std::string Read() {
    std::string received;
    char bytes[16'384];
    for (ssize_t count; (count = read(client_.get(), bytes, sizeof(bytes))) > 0;) {
      received.append(bytes, static_cast<size_t>(count));
      Turns();
    }
    return received;
  }

  // The connection's answer to a request.
  std::string Ask(absl::string_view request) {
    Write(request);
    return Read();
  }

  const ConnectionOptions& options() const override { return options_; }
  GroupService& groups() override { return groups_; }
  Door door() const override {
    return {.origins = &origins_,
            .api_keys = &api_keys(),
            .knows_tokens = true,
            .anyone_manages = anyone_manages_};
  }
  const ApiKeys& api_keys() const override { return api_keys_; }
  const Pages* dashboard() const override { return dashboard_.empty() ? nullptr : &dashboard_; }
  const std::string* AskServices(Connection* connection) override {
    EXPECT_EQ(connection, connection_.get());
    ++questions_;
    return services_.empty() ? nullptr : &services_;
  }
  absl::string_view why_not_ready() const override { return ""; }
  bool is_draining() const override { return false; }
  bool is_surplus(const Connection&) const override { return false; }
  absl::string_view date() const override { return "today"; }
  void OnRequest(bool) override {}
  void OnError(absl::string_view code) override { errors_.emplace_back(code); }
  void OnStream(int change) override { streams_ += change; }
  void OnStreamEnd(CloseCode) override {}
  void OnEndAsked(absl::string_view line, bool) override { ends_.emplace_back(line); }
  void OnReceived(size_t) override {}
  void OnSent(size_t) override {}
  void OnIdle(Connection*) override { waits_ = Waits::kIdle; }
  void OnReading(Connection*) override { waits_ = Waits::kReading; }
  void OnAnswering(Connection*) override { waits_ = Waits::kAnswering; }
  void OnWriting(Connection*) override { waits_ = Waits::kWriting; }
  void OnStreaming(Connection*) override { waits_ = Waits::kStreaming; }
  void OnClosing(Connection*) override { waits_ = Waits::kClosing; }
  void OnTouched(Connection*, TrafficClass) override { touched_ = true; }
  bool MayHold(size_t) const override { return true; }
  void OnHeld(int64_t change) override { held_ += change; }
  void OnUnfinished(Connection*, size_t bytes) override { unfinished_ = bytes; }

  Pages dashboard_;
  bool anyone_manages_ = true;
  std::string services_;             // the answer that is known; empty: none
  int questions_ = 0;                // for the services
  std::vector<std::string> errors_;  // that the groups have not counted
  std::vector<std::string> ends_;    // of connections, for the log
  ConnectionOptions options_;
  OriginPolicy origins_;
  ApiKeys api_keys_;
  FakeClock clock_;
  GroupService groups_;
  MemoryHub hub_;
  MemoryChannel channel_;
  std::unique_ptr<EventLoop> loop_;
  Fd client_;
  Waits waits_ = Waits::kNothing;
  bool touched_ = false;
  int streams_ = 0;
  int64_t held_ = 0;
  size_t unfinished_ = 0;
  std::unique_ptr<Connection> connection_;
};

// The connection of a proxy has the requests of many callers.
TEST_F(ConnectionTest, ASendGetsItsAnswerAlthoughItsTokenHasExpiredMeanwhile) {
  channel_.SetConnected(false);
  Turns();
  Write(
      Post(absl::StrCat("/v1/groups/g/messages?token=", TokenFor("ann", absl::Seconds(100))), "1"));
  clock_.Advance(absl::Seconds(110));
  groups_.CheckDeadlines();
  Turns();
  EXPECT_EQ(Read(), "") << "what becomes of the message is not known yet";
  channel_.SetConnected(true);
  Turns();
  EXPECT_THAT(Read(), HasSubstr(R"({"group_id":"g","epoch":"000000000000000a","offset":1})"));
}

TEST_F(ConnectionTest, ASendWhoseOutcomeIsNotKnownEndsTheConnection) {
  channel_.SetConnected(false);
  Turns();
  Write(
      Post(absl::StrCat("/v1/groups/g/messages?token=", TokenFor("ann", absl::Seconds(100))), "1"));
  // The grace, and the longer one of a connection that waits for the channel.
  for (int i = 0; i < 20; ++i) {
    clock_.Advance(absl::Seconds(10));
    groups_.CheckDeadlines();
    Turns();
  }
  const std::string answer = Read();
  EXPECT_THAT(answer, HasSubstr("\"code\":\"outcome_unknown\""));
  EXPECT_THAT(answer, HasSubstr("Connection: close")) << "its result may come late";
}

TEST_F(ConnectionTest, EachRequestHasItsOwnSession) {
  const std::string token = TokenFor("ann", absl::Seconds(100));
  for (const char* session : {"a", "b"}) {
    Ask(Post(absl::StrCat("/v1/groups/g/messages?session=", session, "&token=", token), "1",
             "Idempotency-Key: k\r\n"));
  }
  EXPECT_THAT(Ask(Get("/v1/groups/g/messages")), HasSubstr("\"offset\":2"))
      << "the key of one session is no key of another";
}

// What came while the channel was asked is gone, so the connection has no beginning of a request.
TEST_F(ConnectionTest, NoRequestFollowsInputThatWasDropped) {
  options_.calls.stream_groups_max = 1'000;
  channel_.SetConnected(false);
  Turns();
  Write(Get("/v1/groups/g/events"));
  Write("POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n");
  clock_.Advance(absl::Minutes(1));
  groups_.CheckDeadlines();
  Turns();
  const std::string answer = Read();
  EXPECT_THAT(answer, HasSubstr(" 503 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_EQ(Ask(Get("/healthz")), "");
}

TEST_F(ConnectionTest, ALastAnswerHasTheTimeOfAnAnswer) {
  const std::string large(1'000'000, 'x');
  options_.requests.body_bytes_max = 2'000'000;
  options_.calls.commands.message_bytes_max = 2'000'000;
  const MemoryChannel::PublishCallback ignore = [](const auto&) {};
  channel_.Publish({.group_id = "g", .content = {.kind = Content::Kind::kText, .data = large}},
                   ignore);
  Turns();
  Write(Get("/v1/groups/g/messages", "Connection: close\r\n"));
  EXPECT_EQ(waits_, Waits::kWriting) << "the client has not read all of it";
  EXPECT_THAT(Read(), HasSubstr(large));
  EXPECT_EQ(waits_, Waits::kClosing);
}

TEST_F(ConnectionTest, ARefusalIsNotThatOfTheRequestBefore) {
  Ask(
      absl::StrCat("HEAD /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\n"
                   "Origin: http://localhost:3000\r\n\r\n"));
  const std::string answer = Ask("NONSENSE\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("\"code\":\"bad_request\""));
  EXPECT_THAT(answer, Not(HasSubstr("Access-Control-Allow-Origin")));
}

TEST_F(ConnectionTest, WhatFollowsARequestCountsAsHeld) {
  channel_.SetConnected(false);
  Turns();
  Write(absl::StrCat(Post("/v1/groups/g/messages", "1"), std::string(50'000, 'x')));
  EXPECT_GE(held_, 50'000);
  connection_.reset();
  EXPECT_EQ(held_, 0);
}

TEST_F(ConnectionTest, AHeadBeforeItsBodyCountsAsUnfinished) {
  std::string fields;
  for (int i = 0; i < 50; ++i)
    absl::StrAppend(&fields, "X-", i, ": ", std::string(100, 'x'), "\r\n");
  Write(absl::StrCat("POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\n", fields,
                     "Content-Length: 9\r\n\r\n"));
  EXPECT_GE(unfinished_, 5'000);
}

TEST_F(ConnectionTest, AStreamDropsWhatFollowsIt) {
  Write(absl::StrCat(Get("/v1/groups/g/events"), std::string(50'000, 'x')));
  EXPECT_THAT(Read(), HasSubstr("event: joined"));
  EXPECT_EQ(connection_->input_bytes(), 0);
}

class ControlConnectionTest : public ConnectionTest {
 protected:
  ControlConnectionTest() : ConnectionTest(WithControl()) {}
  static GroupServiceOptions WithControl() {
    GroupServiceOptions options = Options();
    options.control.service = "test";
    options.control.asks = true;
    return options;
  }
};

// Who leaves early leaves a trace as well.
TEST_F(ControlConnectionTest, TheLogHasAnEndWhoseCallerDoesNotWaitForItsOutcome) {
  Turns();  // it takes part in control
  channel_.HoldMessages(true);
  Write("DELETE /v1/users/ann/connections HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(ends_.empty());
  connection_.reset();
  EXPECT_THAT(ends_, testing::ElementsAre(
                         "anyone asks to close all connections of the user \"ann\" with the code "
                         "4900: the request ended before its answer, and it may be done"));
  ends_.clear();
  Connect();
  Write("DELETE /v1/users/ann/connections HTTP/1.1\r\nHost: localhost\r\n\r\n");
  channel_.HoldMessages(false);
  Turns();
  EXPECT_THAT(Read(), HasSubstr("HTTP/1.1 404 "));
  EXPECT_THAT(ends_, testing::ElementsAre(testing::EndsWith(": 0 connections")));
}

// An operator may close it while its joins are under way.
TEST_F(ConnectionTest, AStreamThatIsClosedBeforeItBeginsIsRefusedAsTheCodeSays) {
  for (const auto& [code, status, word] : {std::tuple{4000, "503", "unavailable"},
                                           {4400, "503", "unavailable"},
                                           {4499, "503", "unavailable"},
                                           {4500, "401", "unauthorized"},
                                           {4501, "401", "token_expired"},
                                           {4503, "429", "too_many_connections"},
                                           {4900, "403", "forbidden"},
                                           {4999, "403", "forbidden"}}) {
    channel_.SetConnected(false);
    Turns();
    Write(Get("/v1/groups/g/events"));
    ASSERT_TRUE(connection_->is_lasting());
    connection_->Disconnect(static_cast<CloseCode>(code), "an operator says so");
    Turns();
    const std::string answer = Read();
    EXPECT_THAT(answer, AllOf(HasSubstr(absl::StrCat("HTTP/1.1 ", status, " ")),
                              HasSubstr(absl::StrCat("\"code\":\"", word, "\"")),
                              HasSubstr("an operator says so"), HasSubstr("Connection: close")))
        << code;
    const bool may_come_back = status == absl::string_view("503") || code == 4503;
    EXPECT_EQ(absl::StrContains(answer, "\r\nRetry-After: "), may_come_back) << code;
    channel_.SetConnected(true);
    Turns();
    Connect();
  }
}

TEST_F(ConnectionTest, AQuestionForTheServicesWaitsForItsAnswer) {
  EXPECT_EQ(Ask(Get("/v1/services")), "");
  EXPECT_EQ(questions_, 1);
  EXPECT_EQ(waits_, Waits::kAnswering);
  connection_->OnServices("{\"services\":[]}");
  Turns();
  EXPECT_THAT(Read(), HasSubstr("\r\n\r\n{\"services\":[]}"));
  services_ = "{\"services\":[1]}";
  EXPECT_THAT(Ask(Get("/v1/services")), HasSubstr("\r\n\r\n{\"services\":[1]}"));
}

TEST_F(ConnectionTest, AnAnswerOfServicesIsForTheirRequestAlone) {
  Write(Get("/v1/services"));
  connection_->FailRequest(ProblemOf(ErrorCode::kUnavailable, "it stops"));
  connection_->OnServices("{}");
  Turns();
  EXPECT_THAT(Read(), HasSubstr("it stops"));
  Connect();
  channel_.SetConnected(false);
  Turns();
  Write(Get("/v1/groups/g/events"));
  connection_->OnServices("{\"services\":[]}");
  channel_.SetConnected(true);
  Turns();
  EXPECT_THAT(Read(), AllOf(HasSubstr("event: joined"), Not(HasSubstr("services"))));
}

TEST_F(ConnectionTest, HowTheServicesAreIsNotForEveryone) {
  anyone_manages_ = false;
  EXPECT_THAT(Ask(Get("/v1/services")), HasSubstr(" 403 "));
  EXPECT_THAT(Ask(Get(absl::StrCat("/v1/services?token=", TokenFor("ann", absl::Seconds(100))))),
              HasSubstr(" 403 "));
  EXPECT_EQ(questions_, 0);
}

TEST_F(ConnectionTest, OperatorsWithoutAKeyCallDirectly) {
  constexpr char kConnection[] = "/v1/connections/00000000000000ff";
  const auto remove = [&](absl::string_view target, absl::string_view fields) {
    return Ask(absl::StrCat("DELETE ", target, " HTTP/1.1\r\nHost: localhost\r\n", fields, "\r\n"));
  };
  for (const char* field : {"X-Forwarded-For: 203.0.113.9\r\n", "Sec-Fetch-Site: cross-site\r\n"}) {
    EXPECT_THAT(Ask(Get("/v1/services", field)), HasSubstr(" 403 ")) << field;
    EXPECT_THAT(Ask(Get("/v1/groups", field)), HasSubstr(" 403 ")) << field;
    EXPECT_THAT(remove(kConnection, field), HasSubstr(" 403 ")) << field;
    EXPECT_THAT(remove("/v1/users/ann/connections", field), HasSubstr(" 403 ")) << field;
    EXPECT_THAT(remove("/v1/groups/g/members/00000000000000ff", field), HasSubstr(" 403 "))
        << field;
    EXPECT_THAT(Ask(Get("/v1/groups/g/messages", field)), HasSubstr(" 200 ")) << field;
  }
  EXPECT_EQ(questions_, 0);
  // It is the request's, and not the connection's. This worker has no part in control.
  EXPECT_THAT(Ask(Get("/v1/groups")), HasSubstr(" 503 "));
  EXPECT_THAT(remove(kConnection, ""), HasSubstr(" 503 "));
}

// Who counts them says which are missing in a sum, and which are there twice.
TEST_F(ConnectionTest, EachErrorIsCountedOnce) {
  const auto of_groups = [&](ErrorCode code) { return groups_.errors_of(code); };
  Ask(Get("/v1/nowhere"));
  Ask(Get("/v1/groups/g/messages?limit=x"));
  Ask(Get("/v1/groups/g/messages?token=a.b.c"));
  Ask(Get("/v1/groups", "Sec-Fetch-Site: cross-site\r\n"));
  Ask(Get("/v1/groups"));  // the worker has no part in control
  EXPECT_THAT(errors_,
              ElementsAre("not_found", "bad_request", "unauthorized", "forbidden", "unavailable"));
  for (const ErrorCode code :
       {ErrorCode::kUnauthorized, ErrorCode::kForbidden, ErrorCode::kUnavailable}) {
    EXPECT_EQ(of_groups(code), 0) << ErrorWord(code);
  }
  errors_.clear();
  EXPECT_THAT(Ask(Get("/v1/groups/$groupcast.x/messages")), HasSubstr(" 403 "));
  EXPECT_EQ(of_groups(ErrorCode::kForbidden), 1);
  EXPECT_THAT(errors_, IsEmpty());
  Ask(Post("/v1/messages", R"({"messages":[{"group_id":"g"},{"group_id":"g","message":1},)"
                           R"({"group_id":"$groupcast.x","message":1}]})"));
  EXPECT_EQ(of_groups(ErrorCode::kForbidden), 2);
  EXPECT_THAT(errors_, ElementsAre("message_missing"));
}

class RateTest : public ConnectionTest {
 protected:
  RateTest() : ConnectionTest(WithRate()) {}
  static GroupServiceOptions WithRate() {
    GroupServiceOptions options = Options();
    options.command_rate = {.per_second = 1, .burst = 2};
    return options;
  }
};

TEST_F(RateTest, AQuestionForTheServicesCostsAsMuchAsACommand) {
  services_ = "{}";
  EXPECT_THAT(Ask(Get("/v1/services")), HasSubstr(" 200 "));
  EXPECT_THAT(Ask(Get("/v1/groups/g/messages")), HasSubstr(" 200 "));
  EXPECT_THAT(Ask(Get("/v1/services")), HasSubstr("\"code\":\"rate_limited\""));
  EXPECT_EQ(questions_, 1);
  EXPECT_EQ(groups_.counters().rate_limited, 1);
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(Ask(Get("/v1/services")), HasSubstr(" 200 "));
}

TEST_F(ConnectionTest, ServesTheFilesOfTheDashboard) {
  EXPECT_THAT(Ask(Get("/dashboard/")), AllOf(HasSubstr(" 404 "), HasSubstr("--dashboard_pages")));
  const std::string directory = absl::StrCat(std::getenv("TEST_TMPDIR"), "/dashboard");
  std::filesystem::create_directory(directory);
  std::ofstream(absl::StrCat(directory, "/index.html")) << "<p>index";
  dashboard_ = *Pages::Load(directory);
  EXPECT_THAT(Ask(Get("/dashboard")), HasSubstr("\r\nLocation: dashboard/\r\n"));
  const std::string index = Ask(Get("/dashboard/"));
  EXPECT_THAT(index, AllOf(HasSubstr(" 200 OK"), HasSubstr("\r\n\r\n<p>index")));
  EXPECT_THAT(Ask(Get("/dashboard/index.html")), HasSubstr("<p>index"));
  EXPECT_THAT(Ask(Get("/dashboard/other.js")), HasSubstr(" 404 "));
  EXPECT_THAT(Ask(Get("/dashboard/..%2findex.html")), HasSubstr(" 404 "));
  const std::string tag = index.substr(index.find("ETag: ") + 6, 18);
  EXPECT_THAT(Ask(Get("/dashboard/", absl::StrCat("If-None-Match: ", tag, "\r\n"))),
              HasSubstr(" 304 "));
}

TEST_F(ConnectionTest, HeartbeatsDoNotGatherInFrontOfAPeerThatDoesNotRead) {
  options_.outbox_bytes_max = 4u << 20;
  Write(Get("/v1/groups/g/events"));
  const std::string large(1'000'000, 'x');
  const MemoryChannel::PublishCallback ignore = [](const auto&) {};
  channel_.Publish({.group_id = "g", .content = {.kind = Content::Kind::kText, .data = large}},
                   ignore);
  Turns();
  const size_t waiting = connection_->outbox_bytes();
  EXPECT_GT(waiting, 0);
  for (int i = 0; i < 1'000; ++i) connection_->SendHeartbeat();
  EXPECT_EQ(connection_->outbox_bytes(), waiting);
  Read();
  connection_->SendHeartbeat();
  Turns();
  EXPECT_EQ(Read(), ":\n\n");
}

}  // namespace
}  // namespace groupcast::service
