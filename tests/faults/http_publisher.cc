#include "tests/faults/http_publisher.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "boost/json.hpp"
#include "tests/faults/chaos_message.h"
#include "tests/support/event.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

namespace json = boost::json;

constexpr size_t kFindingsMax = 20;
// Shorter than what stands still, so that requests are repeated while the first one is under way.
constexpr absl::Duration kAnswerMax = absl::Seconds(2);
constexpr absl::Duration kRepeatAfter = absl::Milliseconds(100);
// The service keeps a key for 2 minutes.
constexpr absl::Duration kRepeatMax = absl::Seconds(75);
constexpr int kListMax = 5;

std::string KeyOf(const Place& place, uint64_t number) {
  return absl::StrCat(place.client, "-", place.group, "-", number);
}

// Of a list, or the only one.
std::vector<json::value> ResultsIn(const std::string& body) {
  try {
    json::value value = json::parse(body);
    const json::value* const list = value.as_object().if_contains("results");
    if (list == nullptr) return {std::move(value)};
    return {list->as_array().begin(), list->as_array().end()};
  } catch (const std::exception&) {
    throw Failure(absl::StrCat("no result: ", body));
  }
}

}  // namespace

HttpPublisher::Counts& HttpPublisher::Counts::operator+=(const Counts& other) {
  messages += other.messages;
  acknowledged += other.acknowledged;
  lists += other.lists;
  repeats += other.repeats;
  refused += other.refused;
  lost += other.lost;
  late += other.late;
  not_done += other.not_done;
  uncertain += other.uncertain;
  return *this;
}

HttpPublisher::HttpPublisher(Options options, Ledger* ledger)
    : options_(std::move(options)),
      ledger_(ledger),
      random_(options_.seed),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void HttpPublisher::Finish() {
  thread_.request_stop();
  thread_.join();
  for (int group = 0; group < options_.groups; ++group) Publish({NewItem(group)});
}

HttpPublisher::Counts HttpPublisher::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::vector<std::string> HttpPublisher::findings() const {
  const std::lock_guard lock(mutex_);
  return findings_;
}

void HttpPublisher::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock<std::mutex> lock(mutex);
  std::condition_variable_any stopped;
  const auto any_group = [this] {
    return static_cast<int>(random_() % static_cast<uint64_t>(options_.groups));
  };
  while (!stop.stop_requested()) {
    const absl::Time next = absl::Now() + options_.interval;
    // One request in four is a list.
    const int count = random_() % 4 == 0 ? 2 + static_cast<int>(random_() % (kListMax - 1)) : 1;
    std::vector<Item> items;
    for (int i = 0; i < count; ++i) items.push_back(NewItem(any_group()));
    Publish(std::move(items));
    const absl::Duration wait = next - absl::Now();
    if (wait > absl::ZeroDuration()) {
      stopped.wait_for(lock, stop, absl::ToChronoMicroseconds(wait), [] { return false; });
    }
  }
}

HttpPublisher::Item HttpPublisher::NewItem(int group) {
  const Place place{group, options_.client};
  const uint64_t number = ledger_->Send(place);
  Count(&Counts::messages);
  return {place, number, MessageText(options_.client, number, absl::Now())};
}

void HttpPublisher::Publish(std::vector<Item> items) {
  std::vector<Item*> open;
  for (Item& item : items) open.push_back(&item);
  const absl::Time end = absl::Now() + kRepeatMax;
  for (Try(&open); !open.empty() && !abandoned_ && absl::Now() < end; Try(&open)) {
    absl::SleepFor(kRepeatAfter);  // for the service's sake: nothing is waited for
    Count(&Counts::repeats, static_cast<int64_t>(open.size()));
  }
  for (const Item* const item : open) {
    ledger_->Answered(item->place, item->number,
                      {item->in_doubt ? Answer::Kind::kUnknown : Answer::Kind::kNotDone});
  }
}

void HttpPublisher::Try(std::vector<Item*>* items) {
  try {
    if (client_ == nullptr) client_ = std::make_unique<HttpClient>(options_.port, kAnswerMax);
  } catch (const Failure&) {
    return Count(&Counts::refused);
  }
  try {
    const std::vector<json::value> results = Request(*items);
    for (size_t i = 0; i < items->size(); ++i) {
      TakeResult(results[results.size() == 1 ? 0 : i], (*items)[i]);
    }
    std::erase_if(*items, [](const Item* item) { return item->done; });
  } catch (const Failure&) {
    const bool is_open = client_->raw().state() == RawClient::State::kOpen;
    Count(is_open ? &Counts::late : &Counts::lost);
    client_.reset();
    for (Item* const item : *items) item->in_doubt = true;
  }
}

std::vector<json::value> HttpPublisher::Request(const std::vector<Item*>& items) {
  HttpClient::Fields fields = {absl::StrCat("Authorization: Bearer ", options_.token)};
  HttpReply reply;
  if (items.size() == 1) {
    const Item& item = *items.front();
    // A text, or the same as JSON.
    const bool is_text = item.number % 2 == 0;
    fields.push_back(absl::StrCat("Idempotency-Key: ", KeyOf(item.place, item.number)));
    if (is_text) fields.push_back("Content-Type: text/plain");
    reply = client_->Post(absl::StrCat("/v1/groups/", GroupId(item.place.group), "/messages"),
                          is_text ? item.text : Quoted(item.text), fields);
  } else {
    Count(&Counts::lists);
    const auto entry = [](std::string* out, const Item* item) {
      absl::StrAppend(out, R"({"group_id":)", Quoted(GroupId(item->place.group)), R"(,"message":)",
                      Quoted(item->text), R"(,"key":)", Quoted(KeyOf(item->place, item->number)),
                      "}");
    };
    reply = client_->Post("/v1/messages",
                          absl::StrCat(R"({"messages":[)", absl::StrJoin(items, ",", entry), "]}"),
                          fields);
  }
  std::vector<json::value> results = ResultsIn(reply.body);
  if (results.size() != 1 && results.size() != items.size()) {
    throw Failure(absl::StrCat("not a result each: ", reply.body));
  }
  if (reply.Field("connection") == "close") client_.reset();
  return results;
}

void HttpPublisher::TakeResult(const json::value& result, Item* item) {
  const auto number = [&result](const char* name) -> std::optional<int64_t> {
    const json::value* const field =
        result.is_object() ? result.get_object().if_contains(name) : nullptr;
    if (field == nullptr || !field->is_int64()) return std::nullopt;
    return field->get_int64();
  };
  if (const std::optional<int64_t> offset = number("offset")) {
    Count(&Counts::acknowledged);
    ledger_->Answered(item->place, item->number,
                      {Answer::Kind::kAcknowledged, static_cast<uint64_t>(*offset)});
    item->done = true;
    return;
  }
  const int64_t status = number("status").value_or(0);
  if (status == 503) return Count(&Counts::not_done);
  if (status < 500) {
    const std::lock_guard lock(mutex_);
    if (findings_.size() < kFindingsMax) {
      findings_.push_back(
          absl::StrCat("publisher ", options_.client, " gets ", json::serialize(result)));
    }
  }
  Count(&Counts::uncertain);
  item->in_doubt = true;
}

void HttpPublisher::Count(int64_t Counts::*what, int64_t by) {
  const std::lock_guard lock(mutex_);
  counts_.*what += by;
}

}  // namespace groupcast::tests
