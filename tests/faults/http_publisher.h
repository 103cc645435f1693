#ifndef GROUPCAST_TESTS_FAULTS_HTTP_PUBLISHER_H_
#define GROUPCAST_TESTS_FAULTS_HTTP_PUBLISHER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "boost/json/value.hpp"
#include "tests/faults/ledger.h"
#include "tests/support/http_client.h"

namespace groupcast::tests {

// A program that publishes through the HTTP gateway, in a thread of its own. It sends one request
// after the other: single messages, and lists. On any doubt it repeats what has no result, with the
// same keys, and tells the ledger the results.
class HttpPublisher {
 public:
  struct Options {
    int client = 0;  // the sender's number for the ledger
    uint16_t port = 0;
    int groups = 0;  // it publishes to all of them
    std::string token;
    absl::Duration interval;  // from one request to the next, at least
    uint64_t seed = 1;
  };
  struct Counts {
    int64_t messages = 0;
    int64_t acknowledged = 0;
    int64_t lists = 0;      // requests with several messages
    int64_t repeats = 0;    // of messages, with their keys
    int64_t refused = 0;    // attempts that nobody listened to
    int64_t lost = 0;       // requests whose connection ended without an answer
    int64_t late = 0;       // requests without an answer in time
    int64_t not_done = 0;   // results with the status 503
    int64_t uncertain = 0;  // results with the status 504 or another one from 500 on

    Counts& operator+=(const Counts& other);
  };

  // `ledger` must outlive it.
  HttpPublisher(Options options, Ledger* ledger);
  // What has no result yet has none.
  ~HttpPublisher() { abandoned_ = true; }

  // It begins no further request.
  void RequestStop() { thread_.request_stop(); }
  // Stops, publishes one last message to each group, and returns when all have a result.
  void Finish();

  Counts counts() const;
  // Answers that no client should get.
  std::vector<std::string> findings() const;

 private:
  struct Item {
    Place place;
    uint64_t number = 0;
    std::string text;
    bool in_doubt = false;  // it may have been published
    bool done = false;
  };

  void Run(const std::stop_token& stop);
  Item NewItem(int group);
  // Returns when each has a result, or none for too long.
  void Publish(std::vector<Item> items);
  // One request for all items that have no result.
  void Try(std::vector<Item*>* items);
  // The result of each item of the request, or one for all. Throws Failure without an answer.
  std::vector<boost::json::value> Request(const std::vector<Item*>& items);
  void TakeResult(const boost::json::value& result, Item* item);
  void Count(int64_t Counts::*what, int64_t by = 1);

  const Options options_;
  Ledger* const ledger_;
  std::mt19937_64 random_;
  std::unique_ptr<HttpClient> client_;  // null: not connected
  std::atomic<bool> abandoned_ = false;
  mutable std::mutex mutex_;
  Counts counts_;
  std::vector<std::string> findings_;
  std::jthread thread_;  // the last: it uses the others
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_HTTP_PUBLISHER_H_
