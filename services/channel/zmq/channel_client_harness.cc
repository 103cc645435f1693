#include "services/channel/zmq/channel_client_harness.h"

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

std::string TopicWord(const std::string& bytes) {
  const Topic topic = *ParseTopic(bytes);
  return absl::StrCat(topic.group_id, topic.nonce == PublisherId{} ? "" : "?");
}

std::string ErrorWord(const absl::Status& status) {
  return absl::StatusCodeToString(status.code());
}

}  // namespace

void FakeLinks::SendPublication(absl::string_view bytes) {
  const LiveFrame frame = *ParseLiveFrame(bytes);
  channel::v1::Content content;
  EXPECT_TRUE(content.ParseFromString(std::string(frame.body)));
  publications.push_back(absl::StrCat(
      frame.header.number, " ", frame.header.kind == LiveKind::kVoid ? "void" : content.data()));
}

bool FakeLinks::SendControl(absl::string_view frame) {
  if (control_full) return false;
  controls.emplace_back(frame);
  return true;
}

void FakeLinks::Subscribe(const std::string& topic) {
  const PublisherId nonce = ParseTopic(topic)->nonce;
  if (nonce != PublisherId{}) last_nonce = nonce;
  subscriptions.push_back(absl::StrCat("+", TopicWord(topic)));
}

void FakeLinks::Unsubscribe(const std::string& topic) {
  subscriptions.push_back(absl::StrCat("-", TopicWord(topic)));
}

void FakeListener::OnSubscribed(absl::string_view group_id, const Position& head) {
  told.push_back(absl::StrCat(group_id, " from ", head.offset));
  if (head.epoch != kEpoch) absl::StrAppend(&told.back(), " of another epoch");
  on_subscribed();
}

void FakeListener::OnMessage(const Message& message) {
  EXPECT_EQ(message.content.data, absl::StrCat(message.offset));
  told.push_back(absl::StrCat(message.group_id, " ", message.previous, "→", message.offset));
  on_message();
}

void FakeListener::OnGap(absl::string_view group_id, const Gap& gap) {
  told.push_back(gap.new_epoch
                     ? absl::StrCat(group_id, " gap to ", gap.to.offset, " of another epoch")
                     : absl::StrCat(group_id, " gap ", gap.from, "..", gap.to.offset));
}

void FakeListener::OnConnectionState(bool connected) {
  told.push_back(connected ? "connected" : "disconnected");
}

void FakeListener::OnRoom() { told.push_back("room"); }

void FakeListener::OnMisconfigured(const absl::Status& why) {
  told.push_back(absl::StrCat("misconfigured: ", ErrorWord(why)));
}

ChannelClientTest::ChannelClientTest(absl::Duration digest_timeout)
    : client_({.publisher = kPublisher,
               .window = {.bytes_max = 2000, .wait_max = absl::Seconds(30)},
               .digest_timeout = digest_timeout},
              &clock_, &links_, &listener_) {}

void ChannelClientTest::Connect() {
  client_.OnControlUp();
  client_.OnPublishLinkUp();
  AnswerHello();
  Told();
}

channel::v1::HelloReply ChannelClientTest::KnownReply(Epoch epoch, uint64_t last_accepted) {
  channel::v1::HelloReply reply;
  reply.set_epoch(static_cast<uint64_t>(epoch));
  reply.set_last_accepted(last_accepted);
  reply.set_max_message_bytes(64 * 1024);
  reply.set_known(true);
  return reply;
}

void ChannelClientTest::AnswerHello(channel::v1::HelloReply reply) {
  reply.set_attempt(TakeHello().attempt());
  Control(ControlKind::kHelloReply, reply);
}

void ChannelClientTest::Pass(absl::Duration time) {
  for (; time > absl::ZeroDuration(); time -= absl::Milliseconds(50)) {
    clock_.Advance(absl::Milliseconds(50));
    client_.Tick();
  }
}

void ChannelClientTest::Control(ControlKind kind, const google::protobuf::MessageLite& body) {
  EXPECT_TRUE(client_.OnControlFrame(ControlFrame(kind, body)).ok());
}

void ChannelClientTest::Acknowledge(uint64_t first_number, const std::vector<uint64_t>& offsets) {
  channel::v1::Acknowledgement results;
  results.set_epoch(static_cast<uint64_t>(kEpoch));
  results.set_first_number(first_number);
  for (const uint64_t offset : offsets) results.add_offsets(offset);
  Control(ControlKind::kAcknowledgement, results);
}

void ChannelClientTest::Digest(uint64_t number, const HeadList& heads, Epoch epoch) {
  channel::v1::Digest digest;
  digest.set_number(number);
  digest.set_epoch(static_cast<uint64_t>(epoch));
  for (const auto& [group_id, offset] : heads) {
    channel::v1::Head* const head = digest.add_heads();
    head->set_group_id(group_id);
    head->set_offset(offset);
  }
  Control(ControlKind::kDigest, digest);
}

void ChannelClientTest::Heads(const channel::v1::CompareHeads& question, const HeadList& heads,
                              Epoch epoch) {
  channel::v1::Heads answer;
  answer.set_request(question.request());
  answer.set_epoch(static_cast<uint64_t>(epoch));
  for (const auto& [group_id, offset] : heads) {
    channel::v1::Head* const head = answer.add_heads();
    head->set_group_id(group_id);
    head->set_offset(offset);
  }
  Control(ControlKind::kHeads, answer);
}

void ChannelClientTest::History(const channel::v1::FetchHistory& question, uint64_t head,
                                uint64_t floor,
                                const std::vector<std::pair<uint64_t, uint64_t>>& messages,
                                Epoch epoch) {
  channel::v1::History answer;
  answer.set_request(question.request());
  answer.set_epoch(static_cast<uint64_t>(epoch));
  answer.set_head(head);
  answer.set_floor(floor);
  for (const auto& [previous, offset] : messages) {
    answer.add_messages(MessageFrame(question.group_id(), offset, previous, epoch));
  }
  Control(ControlKind::kHistory, answer);
}

void ChannelClientTest::Announce(absl::string_view group_id, uint64_t offset, Epoch epoch,
                                 PublisherId nonce) {
  Live(LiveFramePrefix(group_id, {.kind = LiveKind::kAnnouncement,
                                  .publisher = nonce,
                                  .number = offset,
                                  .epoch = epoch,
                                  .offset = offset}));
}

std::string ChannelClientTest::MessageFrame(absl::string_view group_id, uint64_t offset,
                                            uint64_t previous, Epoch epoch) {
  channel::v1::Content content;
  content.set_data(absl::StrCat(offset));
  return LiveFramePrefix(group_id, {.kind = LiveKind::kMessage,
                                    .publisher = PublisherId{1},
                                    .number = 1,
                                    .epoch = epoch,
                                    .offset = offset,
                                    .previous = previous}) +
         content.SerializeAsString();
}

void ChannelClientTest::Message(absl::string_view group_id, uint64_t offset, uint64_t previous,
                                Epoch epoch) {
  Live(MessageFrame(group_id, offset, previous, epoch));
}

void ChannelClientTest::Join(absl::string_view group_id, uint64_t head, Epoch epoch) {
  client_.Subscribe(group_id);
  Announce(group_id, head, epoch, links_.last_nonce);
  Told();
  Subscribed();
}

void ChannelClientTest::Publish(const std::string& text) {
  client_.Publish(
      {.group_id = "x", .content = {.data = text}, .key = {}},
      [this, text](const absl::StatusOr<Position>& result) {
        answers_.push_back(absl::StrCat(
            text, ": ", result.ok() ? absl::StrCat(result->offset) : ErrorWord(result.status())));
      });
}

void ChannelClientTest::Fetch(absl::string_view group_id, uint64_t after, uint32_t newest) {
  client_.FetchHistory(
      group_id, {kEpoch, after}, newest,
      [this](const absl::StatusOr<groupcast::service::History>& result) {
        if (!result.ok()) {
          return answers_.push_back(absl::StrCat("history: ", ErrorWord(result.status())));
        }
        answers_.push_back(
            absl::StrCat("history of ", result->messages.size(), " up to ", result->head.offset,
                         result->floor > 0 ? absl::StrCat(" from ", result->floor) : ""));
      });
}

Words ChannelClientTest::Told() {
  client_.GiveAnswers();
  Words all = std::exchange(listener_.told, {});
  for (std::string& answer : std::exchange(answers_, {})) all.push_back(std::move(answer));
  return all;
}

}  // namespace groupcast::service
