#include "groupcast/testing/fake_server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "groupcast/client.h"

namespace groupcast {
namespace {

#define ASSERT_OK(expression) ASSERT_EQ((expression), absl::OkStatus())

// What the callbacks of a client hear, one line each, for the test's thread.
class Log {
 public:
  void Add(std::string line) {
    const std::lock_guard<std::mutex> lock(mutex_);
    lines_.push_back(std::move(line));
    filled_.notify_one();
  }

  // Waits for the next line.
  std::string Next() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!filled_.wait_for(lock, std::chrono::seconds(60), [this] { return !lines_.empty(); })) {
      return "nothing came";
    }
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    return line;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<std::string> lines_;
};

// A client as a program has it, which writes down what it hears.
class Program {
 public:
  explicit Program(const FakeServer& server, const std::string& session = "") {
    ClientOptions options;
    options.url = server.url();
    options.session_id = session;
    options.close_timeout = absl::Milliseconds(50);
    options.backoff_base = absl::Milliseconds(1);
    options.backoff_cap = absl::Milliseconds(10);
    options.on_state = [this](ConnectionState state, const absl::Status& why) {
      if (state == ConnectionState::kClosed && !why.ok()) heard.Add(absl::StrCat("closed"));
    };
    client = Client::Create(std::move(options)).value();
  }

  void Join(absl::string_view group, const JoinOptions& options = {}) {
    const absl::Status status = client->Join(
        group, options,
        [this](const Message& m) { heard.Add(absl::StrCat(m.offset, " ", m.json)); },
        [this](const absl::StatusOr<Joined>& joined) {
          heard.Add(joined.ok()
                        ? absl::StrCat("joined", joined->recovered ? "" : " without the past")
                        : absl::StrCat("not joined: ", ErrorWord(joined.status())));
        },
        [this](const Gap&) { heard.Add("gap"); });
    EXPECT_EQ(status, absl::OkStatus());
  }

  void Send(absl::string_view group, absl::string_view text, const SendOptions& options = {}) {
    const absl::Status status =
        client->Send(group, text, options, [this](const absl::StatusOr<Position>& sent) {
          sends.Add(sent.ok() ? absl::StrCat("sent ", sent->offset)
                              : absl::StrCat("not sent: ", ErrorWord(sent.status())));
        });
    EXPECT_EQ(status, absl::OkStatus());
  }

  Log heard;
  Log sends;
  std::unique_ptr<Client> client;  // Goes first: its callbacks use the others.
};

class FakeServerTest : public testing::Test {
 protected:
  std::unique_ptr<FakeServer> server_ = FakeServer::Start().value();
};

TEST_F(FakeServerTest, MembersGetWhatOthersSend) {
  Program alice(*server_);
  Program bob(*server_);
  alice.Join("a");
  bob.Join("a");
  ASSERT_OK(server_->AwaitMembers("a", 2));
  bob.Send("other", "elsewhere");
  EXPECT_EQ(bob.sends.Next(), "sent 1");
  bob.Send("a", "hello");
  EXPECT_EQ(bob.sends.Next(), "sent 2");
  EXPECT_EQ(server_->PublishJson("a", "{\"n\": 0.10}").offset, 3u);
  for (Program* program : {&alice, &bob}) {
    EXPECT_EQ(program->heard.Next(), "joined");
    EXPECT_EQ(program->heard.Next(), "2 \"hello\"");
    EXPECT_EQ(program->heard.Next(), "3 {\"n\":0.10}");
  }
}

TEST_F(FakeServerTest, TheTestSeesTheMessages) {
  Program alice(*server_);
  alice.Send("a", "say \"hi\"");
  ASSERT_OK(server_->AwaitMessages("a", 1));
  const std::vector<Message> messages = server_->Messages("a");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].text, "say \"hi\"");
  EXPECT_EQ(messages[0].offset, 1u);
  EXPECT_TRUE(server_->Messages("b").empty());
}

TEST_F(FakeServerTest, TheMessagesOfAnOutageAreRecovered) {
  Program alice(*server_);
  alice.Join("a");
  ASSERT_OK(server_->AwaitMembers("a", 1));
  EXPECT_EQ(alice.heard.Next(), "joined");
  server_->StopListening();
  server_->DropConnections();
  ASSERT_OK(server_->AwaitMembers("a", 0));
  server_->Publish("a", "missed");
  ASSERT_OK(server_->Listen());
  EXPECT_EQ(alice.heard.Next(), "joined");
  EXPECT_EQ(alice.heard.Next(), "1 \"missed\"");
}

TEST_F(FakeServerTest, ListenHasNoEffectOnAServerThatListens) {
  ASSERT_OK(server_->Listen());
  Program alice(*server_);
  alice.Join("a");
  EXPECT_EQ(alice.heard.Next(), "joined");
}

TEST_F(FakeServerTest, ForgottenMessagesAreTold) {
  Program alice(*server_);
  alice.Join("a");
  server_->Publish("a", "1");
  ASSERT_OK(server_->AwaitMembers("a", 1));
  EXPECT_EQ(alice.heard.Next(), "joined");
  server_->ForgetMessages();
  server_->Publish("a", "2");
  std::string line = alice.heard.Next();
  if (line == "1 \"1\"") line = alice.heard.Next();  // The join may come first or last.
  EXPECT_EQ(line, "gap");
  EXPECT_EQ(alice.heard.Next(), "2 \"2\"");

  server_->StopListening();
  server_->DropConnections();
  server_->ForgetMessages();
  ASSERT_OK(server_->Listen());
  EXPECT_EQ(alice.heard.Next(), "joined without the past");
  EXPECT_EQ(alice.heard.Next(), "gap");
}

TEST_F(FakeServerTest, AGroupKeepsItsNewestThousandMessages) {
  Program alice(*server_);
  alice.Join("a");
  EXPECT_EQ(alice.heard.Next(), "joined");
  server_->StopListening();
  server_->DropConnections();
  for (int i = 1; i <= 1001; ++i) server_->PublishJson("a", absl::StrCat(i));
  EXPECT_EQ(server_->Messages("a").size(), 1000u);
  EXPECT_EQ(server_->Messages("a").front().json, "2");
  ASSERT_OK(server_->Listen());
  EXPECT_EQ(alice.heard.Next(), "joined without the past") << "message 1 is lost";
}

TEST_F(FakeServerTest, AJoinMayBeginWithHistory) {
  server_->Publish("a", "1");
  server_->Publish("a", "2");
  server_->Publish("a", "3");
  Program alice(*server_);
  alice.Join("a", {.history = 2});
  EXPECT_EQ(alice.heard.Next(), "joined");
  EXPECT_EQ(alice.heard.Next(), "2 \"2\"");
  EXPECT_EQ(alice.heard.Next(), "3 \"3\"");
}

TEST_F(FakeServerTest, HistoryIsReadWithoutAJoin) {
  server_->Publish("a", "1");
  const Position second = server_->Publish("a", "2");
  server_->Publish("a", "3");
  Program alice(*server_);
  Log histories;
  const auto on_history = [&](const absl::StatusOr<GroupHistory>& history) {
    ASSERT_TRUE(history.ok()) << history.status();
    std::string line = absl::StrCat(history->head.offset, history->recovered ? " all:" : ":");
    for (const Message& message : history->messages) absl::StrAppend(&line, " ", message.json);
    histories.Add(std::move(line));
  };
  ASSERT_OK(alice.client->History("a", {.limit = 2}, on_history));
  EXPECT_EQ(histories.Next(), "3: \"2\" \"3\"");
  ASSERT_OK(alice.client->History("a", {.since = second}, on_history));
  EXPECT_EQ(histories.Next(), "3 all: \"3\"");
  ASSERT_OK(alice.client->History("a", {.since = Position{"0123456789abcdef", 1}}, on_history));
  EXPECT_EQ(histories.Next(), "3: \"1\" \"2\" \"3\"");
  alice.client->Close();  // Its callbacks use what is here.
}

TEST_F(FakeServerTest, MembersAreReadInPages) {
  Program alice(*server_);
  Program bob(*server_);
  alice.Join("a");
  ASSERT_OK(server_->AwaitMembers("a", 1));
  bob.Join("a");
  ASSERT_OK(server_->AwaitMembers("a", 2));
  Log pages;
  const MembersCallback on_members = [&](const absl::StatusOr<GroupMembers>& page) {
    ASSERT_TRUE(page.ok()) << page.status();
    pages.Add(absl::StrCat(page->count, ": ", page->members.size(), " ", page->next));
  };
  ASSERT_OK(alice.client->Members("a", on_members));
  EXPECT_EQ(pages.Next(), "2: 2 ");
  ASSERT_OK(alice.client->Members("a", {.count_only = true}, on_members));
  EXPECT_EQ(pages.Next(), "2: 0 ");
  ASSERT_OK(alice.client->Members("a", {.limit = 1}, on_members));
  const std::string first = pages.Next();
  const std::string next = first.substr(first.rfind(' ') + 1);
  EXPECT_NE(next, "");
  ASSERT_OK(alice.client->Members("a", {.limit = 1, .after = next}, on_members));
  EXPECT_EQ(pages.Next(), "2: 1 ") << "the last page";
  alice.client->Close();  // Its callbacks use what is here.
}

TEST_F(FakeServerTest, WhoComesAndGoesIsTold) {
  Program alice(*server_);
  GroupCallbacks callbacks;
  callbacks.on_message = [](const Message&) {};
  callbacks.on_members = [&](const absl::StatusOr<MembersUpdate>& update) {
    alice.heard.Add(update.ok() ? absl::StrCat(update->members.size()) : "an error");
  };
  ASSERT_OK(alice.client->Join("a", {}, std::move(callbacks)));
  EXPECT_EQ(alice.heard.Next(), "1");
  {
    Program bob(*server_);
    bob.Join("a");
    EXPECT_EQ(alice.heard.Next(), "2");
  }
  EXPECT_EQ(alice.heard.Next(), "1");
}

TEST_F(FakeServerTest, ASessionMayExcludeItself) {
  Program alice(*server_, "session-of-alice");
  Program tablet(*server_, "session-of-alice");
  Program bob(*server_);
  for (Program* program : {&alice, &tablet, &bob}) program->Join("a");
  ASSERT_OK(server_->AwaitMembers("a", 3));
  alice.Send("a", "secret", {.exclude_self = true});
  ASSERT_OK(server_->AwaitMessages("a", 1));
  server_->Publish("a", "public");
  for (Program* program : {&alice, &tablet, &bob}) EXPECT_EQ(program->heard.Next(), "joined");
  EXPECT_EQ(alice.heard.Next(), "2 \"public\"");
  EXPECT_EQ(tablet.heard.Next(), "2 \"public\"");
  EXPECT_EQ(bob.heard.Next(), "1 \"secret\"");
}

TEST_F(FakeServerTest, AnErrorIsOfTheNextCommandAlone) {
  server_->FailNext("send_to_group", "forbidden", /*retry=*/false);
  server_->FailNext("add_group", "unavailable", /*retry=*/true);
  Program alice(*server_);
  alice.Join("a");
  EXPECT_EQ(alice.heard.Next(), "not joined: unavailable");
  EXPECT_EQ(alice.heard.Next(), "joined");
  alice.Send("a", "1");
  EXPECT_EQ(alice.sends.Next(), "not sent: forbidden");
  alice.Send("a", "2");
  EXPECT_EQ(alice.sends.Next(), "sent 1");
}

TEST_F(FakeServerTest, AnAcknowledgementIsHeldUntilItIsReleased) {
  Program alice(*server_);
  alice.Join("a");
  ASSERT_OK(server_->AwaitMembers("a", 1));
  server_->HoldAcknowledgements();
  alice.Send("a", "held");
  EXPECT_EQ(alice.heard.Next(), "joined");
  EXPECT_EQ(alice.heard.Next(), "1 \"held\"") << "the members have it already";
  alice.Send("a", "held too");
  ASSERT_OK(server_->AwaitMessages("a", 2));
  server_->FailNext("send_to_group", "forbidden", /*retry=*/false);
  alice.Send("a", "refused");
  EXPECT_EQ(alice.sends.Next(), "not sent: forbidden") << "the only answer";
  server_->ReleaseAcknowledgements();
  EXPECT_EQ(alice.sends.Next(), "sent 1");
  EXPECT_EQ(alice.sends.Next(), "sent 2");
}

// A real server knows the key of a send that is repeated.
TEST_F(FakeServerTest, ASendThatIsRepeatedCountsOnce) {
  Program alice(*server_);
  server_->HoldAcknowledgements();
  alice.Send("a", "once");
  ASSERT_OK(server_->AwaitMessages("a", 1));
  server_->DropConnections();
  server_->ReleaseAcknowledgements();
  EXPECT_EQ(alice.sends.Next(), "sent 1");
  EXPECT_EQ(server_->Messages("a").size(), 1u);
}

TEST_F(FakeServerTest, AClientThatIsClosedForGoodStaysAway) {
  Program alice(*server_);
  alice.Join("a");
  ASSERT_OK(server_->AwaitMembers("a", 1));
  EXPECT_EQ(alice.heard.Next(), "joined");
  server_->CloseConnections(4001, "slow consumer");
  EXPECT_EQ(alice.heard.Next(), "joined") << "it comes back";
  server_->CloseConnections(4502, "forbidden");
  std::string line = alice.heard.Next();
  EXPECT_EQ(line, "closed");
  ASSERT_OK(server_->AwaitMembers("a", 0));
}

TEST_F(FakeServerTest, MayBeDestroyedAtAnyTime) {
  for (int i = 0; i < 20; ++i) {
    auto server = FakeServer::Start().value();
    Program alice(*server);
    alice.Join("a");
    if (i % 2 == 0) {
      ASSERT_OK(server->AwaitMembers("a", 1));
    }
    server.reset();
  }
}

}  // namespace
}  // namespace groupcast
