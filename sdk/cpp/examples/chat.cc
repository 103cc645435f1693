// Chats in a group from the terminal: sends the lines of standard input, prints what is said, the
// last words before one came included.

#include <future>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "groupcast/client.h"

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: chat URL GROUP [NAME], as: chat ws://127.0.0.1:1234 news Alice\n";
    return 2;
  }
  const std::string group = argv[2];
  const std::string name = argc > 3 ? argv[3] : "anonymous";

  groupcast::ClientOptions options;
  options.url = argv[1];
  options.on_state = [](groupcast::ConnectionState state, const absl::Status& why) {
    if (state == groupcast::ConnectionState::kConnected) std::cerr << "connected\n";
    if (!why.ok()) std::cerr << "not connected: " << why.message() << "\n";
  };
  absl::StatusOr<std::unique_ptr<groupcast::Client>> client =
      groupcast::Client::Create(std::move(options));
  absl::Status status = client.status();
  if (status.ok()) {
    status = (*client)->Join(
        group, {.history = 10},
        [](const groupcast::Message& message) {
          std::cout << message.text.value_or(message.json) << std::endl;
        },
        /*on_join=*/nullptr,
        [](const groupcast::Gap&) { std::cerr << "some of what was said is lost\n"; });
  }

  for (std::string line; status.ok() && std::getline(std::cin, line);) {
    auto sent = std::make_shared<std::promise<absl::Status>>();
    status = (*client)->Send(
        group, absl::StrCat(name, ": ", line),
        [sent](const absl::StatusOr<groupcast::Position>& p) { sent->set_value(p.status()); });
    if (!status.ok()) break;
    const absl::Status outcome = sent->get_future().get();
    if (!outcome.ok()) {
      std::cerr << (absl::IsUnknown(outcome) ? "perhaps" : "not") << " sent: " << outcome.message()
                << "\n";
    }
  }
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
