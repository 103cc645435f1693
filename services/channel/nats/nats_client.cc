#include "services/channel/nats/nats_client.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/channel/nats/subject.h"
#include "services/channel/wire_content.h"

namespace groupcast::service {
namespace {

// What a message of the stream has besides its data, with the headers of a live copy.
constexpr size_t kMessageOverheadBytes = 2'048;
// A request without an answer for this time has failed.
constexpr absl::Duration kAnswerTimeout = absl::Seconds(5);
constexpr absl::Duration kOpenAgainAfter = absl::Seconds(1);
// The heads that are asked for at the same time.
constexpr size_t kHeadsAskedMax = 256;
// A message that was acknowledged comes live within this time; otherwise it is asked for.
constexpr absl::Duration kLiveWithin = absl::Seconds(1);
constexpr size_t kHeadChecksMax = 10'000;
// While all is well, one group is compared with the stream in this time.
constexpr absl::Duration kComparePause = absl::Milliseconds(50);
constexpr size_t kFeedHeldBytesMax = 1u << 20;
constexpr uint64_t kInboxNumber = 1;

PublicationsOptions PublicationsOptionsOf(const NatsClientOptions& options) {
  return {.stream = options.stream.name, .bytes_max = options.window_bytes_max};
}

// The answer to a request for a group's last message. 0: the group has none.
absl::StatusOr<uint64_t> HeadOf(int nats_status, absl::string_view json) {
  if (nats_status != 0) return absl::UnavailableError("JetStream cannot be reached");
  const absl::StatusOr<StoredMessage> message = ReadStoredMessage(json);
  if (absl::IsNotFound(message.status())) return 0;
  if (!message.ok()) return message.status();
  return message->sequence;
}

}  // namespace

NatsClient::NatsClient(const NatsClientOptions& options, const Clock* clock, NatsWriter* writer,
                       ChannelListener* listener)
    : options_(options),
      clock_(clock),
      writer_(writer),
      listener_(listener),
      message_bytes_max_(options.message_bytes_max),
      publications_(PublicationsOptionsOf(options), options.publisher, writer),
      repairs_({}, clock, this),
      head_checks_(kLiveWithin, kHeadChecksMax) {}

NatsClient::~NatsClient() = default;

// ---- The connection, and the stream.

void NatsClient::OnConnected(const NatsServerInfo& server) {
  is_connected_ = true;
  inbox_ = absl::StrCat("_INBOX.", absl::Hex(options_.publisher, absl::kZeroPad16), ".",
                        ++connections_, ".");
  writer_->Subscribe(absl::StrCat(inbox_, "*"), kInboxNumber);
  const size_t takes =
      server.payload_bytes_max - std::min(server.payload_bytes_max, kMessageOverheadBytes);
  if (takes < options_.message_bytes_max && !was_open_ && !options_.server_may_take_less) {
    defect_ = absl::FailedPreconditionError(
        absl::StrCat("messages of up to ", options_.message_bytes_max,
                     " bytes are to be taken from clients, but ", server.name, " takes ", takes,
                     ": raise max_payload of the NATS servers"));
    listener_->OnMisconfigured(defect_);
    return;
  }
  message_bytes_max_ = std::min(options_.message_bytes_max, takes);
  OpenStream();
}

void NatsClient::OpenStream() {
  open_again_at_ = absl::InfiniteFuture();
  Ask(absl::StrCat("$JS.API.STREAM.CREATE.", options_.stream.name),
      StreamConfiguration(options_.stream),
      [this](int status, absl::string_view json) { OnStream(status, json); });
}

void NatsClient::OnStream(int nats_status, absl::string_view json) {
  const absl::StatusOr<StreamInfo> info =
      nats_status == 0 ? ReadStreamInfo(json)
                       : absl::FailedPreconditionError(
                             "the NATS servers have no JetStream, or it has no leader yet");
  if (!info.ok()) {
    defect_ = info.status();
    open_again_at_ = clock_->Now() + kOpenAgainAfter;
    if (nats_status == 0 && absl::IsFailedPrecondition(defect_) && !was_open_) {
      listener_->OnMisconfigured(defect_);
    }
    return;
  }
  defect_ = absl::OkStatus();
  const Fingerprint identity = FingerprintOf({options_.stream.name, info->created});
  const Epoch epoch{std::max<uint64_t>(1, identity.high)};
  if (epoch != epoch_) last_sequence_ = 0;
  epoch_ = epoch;
  last_sequence_ = std::max(last_sequence_, info->last_sequence);
  is_open_ = was_open_ = true;
  publications_.Open(epoch_, inbox_);
  publications_.Send(clock_->Now());
  for (auto& [id, group] : groups_) SubscribeToCopies(&group);
  AskHeads();
  Later([this] { listener_->OnConnectionState(true); });
}

void NatsClient::OnLost() {
  is_connected_ = false;
  open_again_at_ = absl::InfiniteFuture();
  requests_.clear();
  heads_asked_ = 0;
  unasked_.clear();
  reads_.clear();
  by_number_.clear();
  for (auto& [id, group] : groups_) group.number = 0;
  if (!std::exchange(is_open_, false)) return;
  lost_at_ = clock_->Now();
  publications_.Close();
  repairs_.Reset();
  head_checks_.Clear();
  Later([this] { listener_->OnConnectionState(false); });
}

void NatsClient::Ask(const std::string& subject, const std::string& body,
                     std::function<void(int, absl::string_view)> on_answer) {
  const uint64_t number = ++last_number_;
  requests_[number] = {std::move(on_answer), clock_->Now() + kAnswerTimeout};
  writer_->Publish(subject, absl::StrCat(inbox_, "q", number), {}, body);
}

void NatsClient::OnMessage(const NatsMessage& message) {
  if (message.subscription != kInboxNumber) return OnLive(message);
  absl::string_view name = message.subject;
  uint64_t number = 0;
  if (!absl::ConsumePrefix(&name, inbox_) || name.empty() ||
      !absl::SimpleAtoi(name.substr(1), &number)) {
    ++counters_.malformed;
    return;
  }
  const int status = NatsStatus(message.headers);
  if (name.front() == 'p') {
    return publications_.OnAnswer(number, status, message.data, clock_->Now());
  }
  const auto found = requests_.find(number);
  if (found == requests_.end()) return;  // too late
  const Request request = std::move(found->second);
  requests_.erase(found);
  request.on_answer(status, message.data);
}

// ---- Groups.

NatsClient::Group* NatsClient::Find(absl::string_view group_id) {
  const auto found = groups_.find(group_id);
  return found == groups_.end() ? nullptr : &found->second;
}

void NatsClient::Subscribe(absl::string_view group_id) {
  const auto [found, is_new] = groups_.try_emplace(std::string(group_id));
  if (!is_new) return;
  Group& group = found->second;
  group.id = &found->first;
  to_compare_.push_back(found->first);
  if (!is_open_) return;
  SubscribeToCopies(&group);
  AskHeads();
}

void NatsClient::Unsubscribe(absl::string_view group_id) {
  const auto found = groups_.find(group_id);
  if (found == groups_.end()) return;
  Group& group = found->second;
  if (group.number != 0) {
    writer_->Unsubscribe(group.number);
    by_number_.erase(group.number);
  }
  repairs_.Forget(group_id);
  held_bytes_ -= group.counted_bytes;
  group.ended = true;
  auto node = groups_.extract(found);
  if (delivering_ == &group) ended_.push_back(std::move(node));
}

void NatsClient::SubscribeToCopies(Group* group) {
  group->number = ++last_subscription_;
  by_number_[group->number] = group;
  writer_->Subscribe(absl::StrCat(options_.stream.name, ".live.", SubjectToken(*group->id)),
                     group->number);
  unasked_.push_back(*group->id);
}

void NatsClient::AskHeads() {
  for (; !unasked_.empty() && heads_asked_ < kHeadsAskedMax; unasked_.pop_front()) {
    const std::string id = unasked_.front();
    const Group* const group = Find(id);
    if (group == nullptr || group->number == 0) continue;
    ++heads_asked_;
    Ask(absl::StrCat("$JS.API.STREAM.MSG.GET.", options_.stream.name),
        LastMessageRequest(absl::StrCat(options_.stream.name, ".g.", SubjectToken(id))),
        [this, id, number = group->number](int status, absl::string_view json) {
          --heads_asked_;
          OnHead(id, number, HeadOf(status, json));
          AskHeads();
        });
  }
}

void NatsClient::OnHead(const std::string& group_id, uint64_t number,
                        const absl::StatusOr<uint64_t>& head) {
  Group* const group = Find(group_id);
  if (group == nullptr || group->number != number) return;
  if (!head.ok()) {
    unasked_.push_back(group_id);
    return;
  }
  const bool was_warm = group->feed.warm();
  last_sequence_ = std::max(last_sequence_, *head);
  // A group without a message had none when the stream ended there.
  uint64_t offset = *head == 0 ? last_sequence_ : *head;
  const bool in_epoch = was_warm && group->feed.position().epoch == epoch_;
  if (*head == 0 && in_epoch && clock_->Now() - lost_at_ < options_.stream.age_max / 2) {
    // Nothing came while the client was away: it would still be there.
    offset = group->feed.position().offset;
  }
  const Position position{epoch_, offset};
  group->feed.OnHead(position, epoch_);
  if (!was_warm) {
    // The group may be left meanwhile, and joined again.
    delivering_ = group;
    listener_->OnSubscribed(group_id, position);
    delivering_ = nullptr;
    const bool ended = group->ended;
    ended_.clear();
    if (ended) return;
  }
  if (group->feed.behind()) repairs_.Queue(group_id);
}

void NatsClient::OnLive(const NatsMessage& message) {
  const auto found = by_number_.find(message.subscription);
  if (found == by_number_.end()) return;
  Group* const group = found->second;
  uint64_t sequence = 0;
  uint64_t previous = 0;
  const auto of = [&](absl::string_view name, uint64_t* value) {
    const std::optional<absl::string_view> text = NatsHeader(message.headers, name);
    return text.has_value() && absl::SimpleAtoi(*text, value);
  };
  if (!of("Nats-Sequence", &sequence) || !of("Nats-Last-Sequence", &previous)) {
    ++counters_.malformed;
    return;
  }
  last_sequence_ = std::max(last_sequence_, sequence);
  const Position position{epoch_, sequence};
  if (!group->feed.warm()) {
    // The leader's answer may be older than this copy.
    return group->feed.OnOtherHead(position, epoch_);
  }
  // The messages before it are dropped: by age, so this client had them or was told.
  if (previous == 0 && group->feed.position().epoch == epoch_) {
    previous = group->feed.position().offset;
  }
  const size_t room = options_.held_bytes_max - std::min(options_.held_bytes_max, held_bytes_);
  WithFeed(group, [&](Feed* feed) {
    feed->OnMessage(position, previous, message.data, epoch_,
                    std::min(kFeedHeldBytesMax, feed->held_bytes() + room), this);
  });
}

template <typename Work>
void NatsClient::WithFeed(Group* group, Work work) {
  delivering_ = group;
  work(&group->feed);
  delivering_ = nullptr;
  if (!group->ended) {
    const size_t held = group->feed.held_bytes();
    held_bytes_ += held - std::exchange(group->counted_bytes, held);
    if (group->feed.behind()) repairs_.Queue(*group->id);
  }
  ended_.clear();
}

void NatsClient::Deliver(const Position& position, uint64_t previous, absl::string_view body) {
  if (delivering_->ended) return;
  Message message{.group_id = *delivering_->id,
                  .epoch = position.epoch,
                  .offset = position.offset,
                  .previous = previous};
  if (!ContentFromWire(body, &incoming_, &message.content)) {
    // It has its place, but this version cannot read it. The listener gets that loss as a gap.
    ++counters_.malformed;
    return Tell({.from = previous, .to = position});
  }
  listener_->OnMessage(message);
}

void NatsClient::Tell(const Gap& gap) {
  if (delivering_->ended) return;
  ++counters_.gaps;
  listener_->OnGap(*delivering_->id, gap);
}

void NatsClient::CheckHead(absl::string_view group_id, const Position& head) {
  Group* const group = Find(group_id);
  if (group == nullptr || !group->feed.Lacks(head, epoch_)) return;
  ++counters_.behind;
  group->feed.OnOtherHead(head, epoch_);
  repairs_.Queue(group_id);
}

void NatsClient::CompareNext() {
  const absl::Time now = clock_->Now();
  if (!is_open_ || now < compare_at_ || to_compare_.empty()) return;
  compare_at_ = now + kComparePause;
  std::string id = std::move(to_compare_.front());
  to_compare_.pop_front();
  Group* const group = Find(id);
  if (group == nullptr) return;
  to_compare_.push_back(id);
  if (!group->feed.warm()) return;
  Ask(absl::StrCat("$JS.API.STREAM.MSG.GET.", options_.stream.name),
      LastMessageRequest(absl::StrCat(options_.stream.name, ".g.", SubjectToken(id))),
      [this, id, epoch = epoch_](int status, absl::string_view json) {
        const absl::StatusOr<uint64_t> head = HeadOf(status, json);
        if (!head.ok() || *head == 0 || epoch != epoch_) return;
        if (Group* const found = Find(id);
            found == nullptr || !found->feed.Lacks({epoch, *head}, epoch)) {
          return;
        }
        head_checks_.Add(id, {epoch, *head}, clock_->Now());
      });
}

// ---- Publications.

void NatsClient::Publish(const Publication& publication, PublishCallback done) {
  const bool is_promised = promised_ > 0;
  if (is_promised) --promised_;
  if (publication.content.data.size() > message_bytes_max_) {
    return Later([done = std::move(done)] {
      done(absl::ResourceExhaustedError("the message is larger than the channel takes"));
    });
  }
  const size_t cost =
      Publications::CostOf({.count = 1,
                            .bytes = publication.group_id.size() + publication.content.data.size() +
                                     publication.content.from.size()});
  if (!is_promised && !publications_.HasRoomFor(cost)) {
    return Later([done = std::move(done)] {
      done(absl::UnavailableError("too many publications wait for the channel"));
    });
  }
  channel::v1::Content content;
  ContentToWire(publication.content, &content);
  publications_.Add(publication, content.SerializeAsString(), std::move(done), clock_->Now());
}

bool NatsClient::HasRoomFor(const PublicationsSize& size) {
  const size_t cost = Publications::CostOf(size);
  const bool has_room = publications_.HasRoomFor(cost);
  promised_ = has_room ? size.count : 0;
  if (!has_room) wanted_room_ = std::min(wanted_room_.value_or(cost), cost);
  return has_room;
}

// ---- History.

void NatsClient::FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                              HistoryCallback done) {
  repairs_.FetchHistory(group_id, after, newest, std::move(done));
}

std::optional<Position> NatsClient::RepairFrom(absl::string_view group_id) {
  const Feed& feed = Find(group_id)->feed;
  if (!feed.behind() && feed.position().epoch == epoch_) return std::nullopt;
  return feed.position();
}

bool NatsClient::AskHistory(uint64_t request, absl::string_view group_id, const Position& after,
                            uint32_t newest) {
  reads_[request] = std::make_unique<HistoryRead>(
      HistoryRead::Bounds{.messages_per_group_max = options_.stream.messages_per_group_max,
                          .answer_bytes_max = options_.history_bytes_max},
      options_.stream.name, group_id, after, newest, epoch_);
  Continue(request);
  return true;
}

void NatsClient::Continue(uint64_t request) {
  const HistoryRead::Request next = reads_.at(request)->next_request();
  Ask(next.subject, next.body, [this, request](int status, absl::string_view json) {
    const auto found = reads_.find(request);
    if (found == reads_.end()) return;
    // Without an answer, Repairs asks again or gives up when its time has passed.
    if (status != 0 || !found->second->OnAnswer(json).ok()) {
      reads_.erase(found);
    } else if (found->second->is_done()) {
      OnRead(request);
    } else {
      Continue(request);
    }
  });
}

void NatsClient::OnRead(uint64_t request) {
  const std::unique_ptr<HistoryRead> read = std::move(reads_.at(request));
  reads_.erase(request);
  const std::optional<Repairs::Question> question = repairs_.Take(request);
  if (!question.has_value()) return repairs_.SendQueued();
  if (!question->done) {
    WithFeed(Find(question->group_id), [&](Feed* feed) {
      feed->OnHistoryBegin(read->head(), read->floor(), this);
      for (const HistoryRead::Entry& entry : read->entries()) {
        feed->OnHistoryMessage({read->head().epoch, entry.offset}, entry.previous, entry.body,
                               this);
      }
      feed->OnHistoryEnd(read->head(), this);
    });
    return repairs_.SendQueued();
  }
  History history;
  history.head = read->head();
  history.floor = read->floor();
  channel::v1::Content scratch;
  for (const HistoryRead::Entry& entry : read->entries()) {
    Content content;
    if (!ContentFromWire(entry.body, &scratch, &content)) {
      // As if history ended before it or began after it.
      ++counters_.malformed;
      if (!question->newest && !history.messages.empty()) break;
      history.messages.clear();
      history.floor = std::max(history.floor, entry.offset);
      continue;
    }
    history.messages.push_back({.offset = entry.offset,
                                .previous = entry.previous,
                                .kind = content.kind,
                                .data = std::string(content.data),
                                .sent_at_ms = content.sent_at_ms,
                                .excluded_session = content.excluded_session,
                                .from = std::string(content.from)});
  }
  question->done(std::move(history));
  repairs_.SendQueued();
}

// ---- Time, and answers.

void NatsClient::Tick() {
  const absl::Time now = clock_->Now();
  if (is_connected_ && !is_open_ && now >= open_again_at_) OpenStream();
  while (!requests_.empty() && requests_.begin()->second.deadline <= now) {
    const Request request = std::move(requests_.begin()->second);
    requests_.erase(requests_.begin());
    request.on_answer(/*nats_status=*/408, "");
  }
  publications_.Tick(now);
  repairs_.Tick();
  while (const std::optional<GroupHead> due = head_checks_.TakeDue(now)) {
    CheckHead(due->group_id, due->head);
  }
  AskHeads();
  CompareNext();
}

bool NatsClient::GiveAnswers() {
  bool any = false;
  for (bool more = true; more; any |= more) {
    more = repairs_.GiveAnswers();
    const std::vector<std::function<void()>> due = std::exchange(due_, {});
    for (const std::function<void()>& work : due) work();
    more |= !due.empty();
    std::vector<Publications::Result> results = publications_.TakeResults();
    for (Publications::Result& result : results) {
      if (result.position.ok()) {
        last_sequence_ = std::max(last_sequence_, result.position->offset);
        head_checks_.Add(result.group_id, *result.position, clock_->Now());
      }
      result.done(std::move(result.position));
    }
    more |= !results.empty();
  }
  publications_.Send(clock_->Now());
  if (wanted_room_.has_value() && publications_.HasRoomFor(*wanted_room_)) {
    wanted_room_.reset();
    listener_->OnRoom();
    return true;
  }
  return any;
}

Channel::Stats NatsClient::stats() const {
  return {.repairs = repairs_.count(),
          .digests_behind = counters_.behind,
          .window_bytes = publications_.bytes(),
          .window_bytes_max = options_.window_bytes_max};
}

}  // namespace groupcast::service
