#include "services/common/logging.h"

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "services/common/line_writer.h"
#include "services/common/log_line.h"
#include "spdlog/sinks/base_sink.h"

namespace groupcast::service {
namespace {

// In lines of text.
std::string NameOf(const LogSource& source) {
  if (source.worker == 0) return source.service;
  return absl::StrCat(source.service, " worker ", source.worker);
}

// Thread-safe: some services have threads that write lines. Those that fork have one thread, so no
// child inherits the mutex locked.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  StderrSink(LogFormat format, LogSource source)
      : format_(format),
        source_(std::move(source)),
        writer_(STDERR_FILENO, [this](uint64_t count) { return DroppedNotice(count); }) {}

  void Print(absl::string_view lines, spdlog::level::level_enum level) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (format_ == LogFormat::kText) return writer_.Write(lines);
    std::string objects;
    for (const absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipWhitespace())) {
      absl::StrAppend(&objects, Json(absl::Now(), level, line));
    }
    writer_.Write(objects);
  }

  LogFormat format() const { return format_; }
  const LogSource& source() const { return source_; }
  uint64_t dropped() const { return writer_.dropped_total(); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    writer_.Write(Format(message));
  }
  void flush_() override {}

  std::string Format(const spdlog::details::log_msg& message) {
    if (format_ == LogFormat::kJson) {
      return Json(absl::FromChrono(message.time), message.level,
                  absl::string_view(message.payload.data(), message.payload.size()));
    }
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return std::string(line.data(), line.size());
  }

  std::string Json(absl::Time time, spdlog::level::level_enum level, absl::string_view message) {
    const spdlog::string_view_t name = spdlog::level::to_string_view(level);
    return FormatJsonLogLine(time, absl::string_view(name.data(), name.size()), source_, message,
                             LineWriter::kLineBytesMax);
  }

  std::string DroppedNotice(uint64_t count) {
    const std::string text = absl::StrCat(
        count,
        " lines are missing here: stderr could not take them at once (its reader, its disk)");
    return Format(spdlog::details::log_msg(NameOf(source_), spdlog::level::warn, text));
  }

  const LogFormat format_;
  const LogSource source_;
  LineWriter writer_;
};

// Null: before InitLogging.
StderrSink* CurrentSink() {
  for (const spdlog::sink_ptr& sink : spdlog::default_logger_raw()->sinks()) {
    if (auto* const ours = dynamic_cast<StderrSink*>(sink.get())) return ours;
  }
  return nullptr;
}

absl::Status Init(absl::string_view level, LogFormat format, LogSource source) {
  if (absl::Status status = CheckLogLevel(level); !status.ok()) return status;
  const std::string name = NameOf(source);
  auto sink = std::make_shared<StderrSink>(format, std::move(source));
  auto logger = std::make_shared<spdlog::logger>(name, sink);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %L [%n] %v");
  logger->set_level(spdlog::level::from_str(std::string(level)));
  // spdlog's own handler would wait for stderr's reader.
  logger->set_error_handler([sink](const std::string& why) {
    sink->Print(absl::StrCat("a log line could not be made: ", why, "\n"), spdlog::level::err);
  });
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLogLevel(absl::string_view level) {
  if (level == "off" || spdlog::level::from_str(std::string(level)) != spdlog::level::off) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("log level \"", level, "\" is not trace, debug, info, warning, error or off"));
}

absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return absl::InvalidArgumentError(absl::StrCat("log format \"", name, "\" is not text or json"));
}

absl::Status InitLogging(absl::string_view level, LogFormat format, absl::string_view service) {
  return Init(level, format, {.service = std::string(service), .pid = getpid()});
}

absl::Status InitWorkerLogging(absl::string_view level, int number) {
  const StderrSink* const parents = CurrentSink();
  if (parents == nullptr) return absl::FailedPreconditionError("InitLogging comes first");
  LogSource source = parents->source();
  source.worker = number;
  source.pid = getpid();
  return Init(level, parents->format(), std::move(source));
}

LogFormat log_format() {
  const StderrSink* const sink = CurrentSink();
  return sink == nullptr ? LogFormat::kText : sink->format();
}

void PrintLines(absl::string_view lines, spdlog::level::level_enum level) {
  if (StderrSink* const sink = CurrentSink()) return sink->Print(lines, level);
  LineWriter(STDERR_FILENO, [](uint64_t) { return ""; }).Write(lines);
}

uint64_t DroppedLogLines() {
  const StderrSink* const sink = CurrentSink();
  return sink == nullptr ? 0 : sink->dropped();
}

int64_t LogLimit::Admit(absl::Time now) {
  ++count_;
  if (now < next_) return 0;
  next_ = now + period_;
  return std::exchange(count_, 0);
}

}  // namespace groupcast::service
