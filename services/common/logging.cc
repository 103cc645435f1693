#include "services/common/logging.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace groupcast::service {

absl::Status InitLogging(absl::string_view level, absl::string_view who) {
  const std::string name(level);
  const spdlog::level::level_enum parsed = spdlog::level::from_str(name);
  if (parsed == spdlog::level::off && name != "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("log level \"", level, "\" is not trace, debug, info, warning, error or off"));
  }
  auto logger = std::make_shared<spdlog::logger>(std::string(who),
                                                 std::make_shared<spdlog::sinks::stderr_sink_st>());
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %L [%n] %v");
  logger->set_level(parsed);
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

int64_t LogLimit::Admit(absl::Time now) {
  ++count_;
  if (now < next_) return 0;
  next_ = now + period_;
  return std::exchange(count_, 0);
}

}  // namespace groupcast::service
