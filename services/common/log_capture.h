#ifndef GROUPCAST_SERVICES_COMMON_LOG_CAPTURE_H_
#define GROUPCAST_SERVICES_COMMON_LOG_CAPTURE_H_

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "spdlog/sinks/ringbuffer_sink.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {

// For tests: keeps the log lines that are written while it lives, up to a thousand. There is one at
// a time.
class LogCapture {
 public:
  LogCapture() { spdlog::default_logger()->sinks().push_back(lines_); }
  ~LogCapture() { spdlog::default_logger()->sinks().pop_back(); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // The number of lines so far that contain `text`.
  int Count(absl::string_view text) const {
    const std::vector<std::string> lines = lines_->last_formatted();
    return static_cast<int>(
        std::count_if(lines.begin(), lines.end(),
                      [text](const std::string& line) { return absl::StrContains(line, text); }));
  }

 private:
  const std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> lines_ =
      std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(1'000);
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_LOG_CAPTURE_H_
