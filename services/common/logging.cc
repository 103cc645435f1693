#include "services/common/logging.h"

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/line_writer.h"
#include "spdlog/sinks/base_sink.h"

namespace groupcast::service {
namespace {

// As the logger's users, it belongs to one thread.
class StderrSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit StderrSink(absl::string_view who)
      : who_(who),
        writer_(STDERR_FILENO, [this](uint64_t count) { return DroppedNotice(count); }) {}

  void Print(absl::string_view lines) { writer_.Write(lines); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override { Print(Format(message)); }
  void flush_() override {}

  std::string Format(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return std::string(line.data(), line.size());
  }

  std::string DroppedNotice(uint64_t count) {
    const std::string text = absl::StrCat(
        count,
        " lines are missing here: stderr could not take them at once (its reader, its disk)");
    return Format(spdlog::details::log_msg(who_, spdlog::level::warn, text));
  }

  const std::string who_;
  LineWriter writer_;
};

}  // namespace

absl::Status CheckLogLevel(absl::string_view level) {
  if (level == "off" || spdlog::level::from_str(std::string(level)) != spdlog::level::off) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("log level \"", level, "\" is not trace, debug, info, warning, error or off"));
}

absl::Status InitLogging(absl::string_view level, absl::string_view who) {
  if (absl::Status status = CheckLogLevel(level); !status.ok()) return status;
  auto sink = std::make_shared<StderrSink>(who);
  auto logger = std::make_shared<spdlog::logger>(std::string(who), sink);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %L [%n] %v");
  logger->set_level(spdlog::level::from_str(std::string(level)));
  // spdlog's own handler would wait for stderr's reader.
  logger->set_error_handler([sink](const std::string& why) {
    sink->Print(absl::StrCat("a log line could not be made: ", why, "\n"));
  });
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

void PrintLines(absl::string_view lines) {
  for (const spdlog::sink_ptr& sink : spdlog::default_logger_raw()->sinks()) {
    if (auto* const ours = dynamic_cast<StderrSink*>(sink.get())) return ours->Print(lines);
  }
  LineWriter(STDERR_FILENO, [](uint64_t) { return ""; }).Write(lines);  // before InitLogging
}

int64_t LogLimit::Admit(absl::Time now) {
  ++count_;
  if (now < next_) return 0;
  next_ = now + period_;
  return std::exchange(count_, 0);
}

}  // namespace groupcast::service
