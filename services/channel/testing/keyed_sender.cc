#include "services/channel/testing/keyed_sender.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "boost/json.hpp"

namespace groupcast::service::testing {
namespace {

constexpr int kRepeatsMax = 3;

}  // namespace

KeyedSender::KeyedSender(const Options& options, EventQueue* events, Random* random, Truth* truth,
                         std::function<SimulatedHost*()> find_host)
    : options_(options),
      events_(events),
      random_(random),
      truth_(truth),
      find_host_(std::move(find_host)),
      self_(std::make_shared<KeyedSender*>(this)) {
  Connect();
}

KeyedSender::~KeyedSender() {
  *self_ = nullptr;
  if (connection_ != nullptr) connection_->on_text = nullptr, connection_->on_cut = nullptr;
}

void KeyedSender::Connect() {
  host_ = find_host_();
  if (host_ == nullptr) {
    events_->After(random_->Between(absl::Milliseconds(20), absl::Milliseconds(500)),
                   [self = self_] {
                     if (*self != nullptr) (*self)->Connect();
                   });
    return;
  }
  connection_ = host_->Connect(true, options_.session);
  connection_->on_text = [this](const std::string& text) { OnText(text); };
  connection_->on_cut = [this] { OnDisconnected(); };
  for (const auto& [id, command] : waiting_) Write(id);
}

void KeyedSender::OnDisconnected() {
  connection_->on_text = nullptr;
  connection_->on_cut = nullptr;
  connection_ = nullptr;
  events_->After(random_->Between(absl::Milliseconds(20), absl::Milliseconds(500)), [self = self_] {
    if (*self != nullptr) (*self)->Connect();
  });
}

void KeyedSender::Send(const std::vector<std::string>& groups, const std::string& text) {
  if (options_.may_come_again) {
    for (const std::string& group : groups) truth_->MayComeAgain(group, text);
  }
  const Command command{.groups = groups, .text = text};
  SendLater(command, absl::ZeroDuration());
  for (int64_t i = random_->Between(1, kRepeatsMax); i > 0; --i) {
    SendLater(command, random_->Between(absl::ZeroDuration(), 2 * truth_->key_window()));
  }
}

void KeyedSender::SendLater(const Command& command, absl::Duration delay) {
  ++later_;
  events_->After(delay, [self = self_, command] {
    if (*self == nullptr) return;
    KeyedSender& sender = **self;
    --sender.later_;
    const uint64_t id = sender.next_id_++;
    sender.waiting_[id] = command;
    sender.waiting_[id].first_sent_at = sender.events_->Now();
    sender.Write(id);
  });
}

// Without a connection, the command goes out on the next one.
void KeyedSender::Write(uint64_t id) {
  if (connection_ == nullptr || connection_->cut) return;
  const Command& command = waiting_[id];
  host_->FromClient(
      connection_, absl::StrCat(R"({"cmd":"send_to_group","group_ids":[")",
                                absl::StrJoin(command.groups, R"(",")"), R"("],"message":")",
                                command.text, R"(","key":")", command.text, R"(","id":)", id, "}"));
}

void KeyedSender::OnText(const std::string& text) {
  const boost::json::value event = boost::json::parse(text);
  const boost::json::value* const id = event.as_object().if_contains("id");
  if (id == nullptr) return;  // the welcome
  const auto found = waiting_.find(static_cast<uint64_t>(id->as_int64()));
  if (found == waiting_.end()) return;  // the answer to an earlier connection's copy
  const Command command = std::move(found->second);
  waiting_.erase(found);
  const boost::json::value* const results = event.as_object().if_contains("results");
  if (results == nullptr) return;  // an error of the whole command
  const boost::json::array& each = results->as_array();
  if (each.size() != command.groups.size()) {
    return truth_->Fail(
        absl::StrCat("a send to ", command.groups.size(), " groups has ", each.size(), " results"));
  }
  for (size_t i = 0; i < each.size(); ++i) {
    const boost::json::object& result = each[i].as_object();
    if (result.at("group_id").as_string() != command.groups[i]) {
      truth_->Fail("the results of a send are in another order");
    }
    const boost::json::value* const epoch_text = result.if_contains("epoch");
    if (epoch_text == nullptr) continue;  // it may be done, or not
    const boost::json::string& digits = epoch_text->as_string();
    uint64_t epoch = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), epoch, 16);
    CheckPlace(command, command.groups[i],
               {Epoch{epoch}, static_cast<uint64_t>(result.at("offset").as_int64())});
  }
}

void KeyedSender::CheckPlace(const Command& command, const std::string& group,
                             const Position& position) {
  truth_->OnAcknowledged(group, position, command.text);
  const Truth::Message* const there = truth_->At(group, position);
  if (there == nullptr) return;  // the truth has said so
  Position& last = places_[{group, command.text}];
  if (last == position) ++same_places_;
  if (last.epoch == position.epoch && last.offset < position.offset) ++new_places_;
  last = position;
  const absl::Duration age = command.first_sent_at - there->at;
  if (there->at > truth_->undisturbed_since() && age > truth_->key_window() + options_.slack) {
    truth_->Fail(absl::StrCat("group ", group, ": the key of ", position.offset, " still counts ",
                              absl::FormatDuration(age), " later"));
  }
}

std::string KeyedSender::WhyNotAtRest() const {
  if (later_ == 0 && waiting_.empty()) return "";
  return absl::StrCat(later_ + static_cast<int>(waiting_.size()), " keyed sends have no answer");
}

}  // namespace groupcast::service::testing
