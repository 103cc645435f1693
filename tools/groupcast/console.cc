#include "tools/groupcast/console.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace groupcast::cli {
namespace {

constexpr absl::string_view kPlain = "\x1b[0m";
constexpr absl::string_view kEraseLine = "\r\x1b[K";

absl::string_view Sequence(Colour colour) {
  switch (colour) {
    case Colour::kRed:
      return "\x1b[31m";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kBold:
      return "\x1b[1m";
  }
  return "";
}

// Zero, or the errno of the write that failed.
int WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

bool IsSet(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

Console::Streams Console::OfThisProcess() {
  const char* const term = std::getenv("TERM");
  const bool is_dumb = term == nullptr || absl::string_view(term) == "dumb";
  return {.out_is_terminal = isatty(1) == 1,
          .err_is_terminal = isatty(2) == 1,
          .colours = !is_dumb && !IsSet("NO_COLOR")};
}

bool Console::Print(absl::string_view text) {
  const std::lock_guard lock(mutex_);
  if (out_has_ended_) return false;
  if (has_progress_ && streams_.out_is_terminal) {
    WriteErr(kEraseLine);
    has_progress_ = false;
  }
  const int error = WriteAll(streams_.out, text);
  if (error == 0) return true;
  out_has_ended_ = true;
  if (error != EPIPE) write_error_ = std::strerror(error);
  return false;
}

std::string Console::WriteError() const {
  const std::lock_guard lock(mutex_);
  return write_error_;
}

void Console::Note(absl::string_view text) {
  const std::lock_guard lock(mutex_);
  WriteErr(absl::StrCat(has_progress_ ? kEraseLine : "", text, "\n"));
  has_progress_ = false;
}

void Console::Complain(absl::string_view text) {
  Note(absl::StrCat(ErrColour(Colour::kRed, "error:"), " ", text));
}

void Console::ShowProgress(absl::string_view text) {
  if (!streams_.err_is_terminal) return;
  const std::lock_guard lock(mutex_);
  if (text.empty() && !has_progress_) return;
  WriteErr(absl::StrCat(kEraseLine, text));
  has_progress_ = !text.empty();
}

std::string Console::Paint(bool is_terminal, Colour colour, absl::string_view text) const {
  if (!is_terminal || !streams_.colours) return std::string(text);
  return absl::StrCat(Sequence(colour), text, kPlain);
}

// A stderr that is closed or full must not end the command.
void Console::WriteErr(absl::string_view text) { (void)WriteAll(streams_.err, text); }

std::string Harmless(absl::string_view text) {
  std::string harmless;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters too. In UTF-8 they are C2 80 to C2 9F.
    const bool is_c1 = byte == 0xC2 && i + 1 < text.size() &&
                       static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                       static_cast<unsigned char>(text[i + 1]) <= 0x9F;
    if (is_c1) {
      absl::StrAppendFormat(&harmless, "\\x%02x", static_cast<unsigned char>(text[++i]));
    } else if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7F) {
      absl::StrAppendFormat(&harmless, "\\x%02x", byte);
    } else {
      harmless.push_back(text[i]);
    }
  }
  return harmless;
}

}  // namespace groupcast::cli
