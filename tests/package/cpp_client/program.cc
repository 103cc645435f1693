// A user's program: sends a message to a group that it is in, and prints what comes.
//
// It uses Asio too, in another way than the client's library, which brings its own copy.

#include <groupcast/client.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <iostream>
#include <string>
#include <utility>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::promise<std::string> received;
  groupcast::ClientOptions options;
  options.url = argv[1];
  auto client = groupcast::Client::Create(std::move(options));
  if (!client.ok()) return 1;
  const absl::Status joined =
      (*client)->Join("packaged", [&received](const groupcast::Message& message) {
        received.set_value(message.text.value_or(message.json));
      });
  const absl::Status sent = (*client)->Send("packaged", "hello");
  if (!joined.ok() || !sent.ok()) return 1;

  const std::string text = received.get_future().get();
  boost::asio::io_context context;
  boost::asio::post(context, [&text] { std::cout << "got: " << text << std::endl; });
  context.run();
}
