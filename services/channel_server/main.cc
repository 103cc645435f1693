// The channel server: gives every group's messages one order and hands them to all workers.

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "services/channel_server/server.h"
#include "services/common/flags.h"
#include "services/common/logging.h"
#include "services/common/posix.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, bind_address, "127.0.0.1", "address to listen on");
ABSL_FLAG(int, port, 2206, "publish port; 0 takes three consecutive free ports");
ABSL_FLAG(int, subscribe_port, 0, "subscribe port; 0 is the publish port + 1");
ABSL_FLAG(int, control_port, 0, "control port; 0 is the publish port + 2");
ABSL_FLAG(std::string, data_dir, "",
          "not supported by this version, which keeps everything in memory");
ABSL_FLAG(std::string, ready_file, "",
          "file that appears, with the publish port in it as JSON, when the server can be used");
ABSL_FLAG(int64_t, max_message_bytes, 64 * 1024, "largest message that is taken, in bytes");
ABSL_FLAG(int64_t, history_messages, 100, "messages kept of each group");
ABSL_FLAG(absl::Duration, history_age, absl::Seconds(300), "how long messages are kept");
ABSL_FLAG(int64_t, history_bytes, 512 << 20,
          "what all kept messages may take together, in bytes; over it the oldest go");
ABSL_FLAG(int, subscriber_queue_frames, 100'000,
          "messages that may wait for one worker before more are dropped for it");
ABSL_FLAG(int, io_threads, 1, "threads that read and write sockets");
ABSL_FLAG(std::string, log_level, "info", "trace, debug, info, warning, error or off");

namespace groupcast::service {
namespace {

absl::Status CheckPort(absl::string_view flag, int port) {
  if (port >= 0 && port <= 65'535) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", port, " is not a port"));
}

absl::Status CheckPositive(absl::string_view flag, int64_t value) {
  if (value > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " must be above 0"));
}

absl::StatusOr<ServerOptions> OptionsFromFlags() {
  const int port = absl::GetFlag(FLAGS_port);
  const int subscribe_port = absl::GetFlag(FLAGS_subscribe_port);
  const int control_port = absl::GetFlag(FLAGS_control_port);
  for (const absl::Status& status :
       {CheckPort("port", port), CheckPort("subscribe_port", subscribe_port),
        CheckPort("control_port", control_port),
        CheckPositive("max_message_bytes", absl::GetFlag(FLAGS_max_message_bytes)),
        CheckPositive("history_messages", absl::GetFlag(FLAGS_history_messages)),
        CheckPositive("history_bytes", absl::GetFlag(FLAGS_history_bytes)),
        CheckPositive("subscriber_queue_frames", absl::GetFlag(FLAGS_subscriber_queue_frames)),
        CheckPositive("io_threads", absl::GetFlag(FLAGS_io_threads))}) {
    if (!status.ok()) return status;
  }
  if (port > 65'533 && (subscribe_port == 0 || control_port == 0)) {
    return absl::InvalidArgumentError("--port leaves no room for the two ports after it");
  }
  if (!absl::GetFlag(FLAGS_data_dir).empty()) {
    return absl::UnimplementedError(
        "--data_dir: this version keeps everything in memory and has no log on disk");
  }
  ServerOptions options;
  options.address.host = absl::GetFlag(FLAGS_bind_address);
  options.address.publish_port = static_cast<uint16_t>(port);
  options.address.subscribe_port =
      static_cast<uint16_t>(subscribe_port ? subscribe_port : port + 1);
  options.address.control_port = static_cast<uint16_t>(control_port ? control_port : port + 2);
  options.subscriber_queue_frames_max = absl::GetFlag(FLAGS_subscriber_queue_frames);
  options.io_threads = absl::GetFlag(FLAGS_io_threads);
  options.broker.epoch = Epoch{RandomId()};
  options.broker.max_message_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_max_message_bytes));
  options.broker.history_messages_max = static_cast<size_t>(absl::GetFlag(FLAGS_history_messages));
  options.broker.history_age_max = absl::GetFlag(FLAGS_history_age);
  options.broker.history_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_history_bytes));
  return options;
}

absl::Status Main() {
  if (absl::Status status = InitLogging(absl::GetFlag(FLAGS_log_level), "channel_server");
      !status.ok()) {
    return status;
  }
  const absl::StatusOr<ServerOptions> options = OptionsFromFlags();
  if (!options.ok()) return options.status();

  // Blocked before any thread is made, so that only the loop takes them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  sigprocmask(SIG_BLOCK, &stop_signals, nullptr);

  RaiseOpenFilesLimit();
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Create(*options);
  if (!server.ok()) return server.status();
  const ChannelAddress& address = (*server)->address();
  if (address.host != "127.0.0.1" && address.host != "::1" && address.host != "localhost") {
    spdlog::warn(
        "LISTENING ON {} WITHOUT KEYS: whoever reaches these ports reads and writes every group",
        address.host);
  }
  spdlog::info("epoch {}, publish {}, subscribe {}, control {} on {}",
               EpochText(options->broker.epoch), address.publish_port, address.subscribe_port,
               address.control_port, address.host);
  if (const std::string ready_file = absl::GetFlag(FLAGS_ready_file); !ready_file.empty()) {
    if (absl::Status status = WriteReadyFile(ready_file, address.publish_port); !status.ok())
      return status;
  }
  const absl::StatusOr<int> signal = (*server)->Run(stop_signals);
  if (!signal.ok()) return signal.status();
  const Broker::Counters& counters = (*server)->broker().counters();
  spdlog::info(
      "{}: {} messages, {} announcements; {} repeated, {} holes, {} strangers, {} refused, {} "
      "malformed",
      strsignal(*signal), counters.publications, counters.announcements, counters.repeated,
      counters.holes, counters.strangers, counters.refused, counters.malformed);
  return absl::OkStatus();
}

}  // namespace
}  // namespace groupcast::service

int main(int argc, char** argv) {
  groupcast::service::SetHelp(
      "Groupcast's channel server: gives every group's messages one order.\n"
      "Runs in the foreground, logs to stderr, stops on SIGTERM or SIGINT.\n\n"
      "  channel_server [--bind_address=127.0.0.1] [--port=2206] [--ready_file=FILE]");
  absl::ParseCommandLine(argc, argv);
  if (absl::Status status = groupcast::service::Main(); !status.ok()) {
    std::fprintf(stderr, "channel_server: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
