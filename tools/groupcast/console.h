#ifndef GROUPCAST_TOOLS_GROUPCAST_CONSOLE_H_
#define GROUPCAST_TOOLS_GROUPCAST_CONSOLE_H_

#include <mutex>
#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::cli {

enum class Colour { kRed, kGreen, kYellow, kDim, kBold };

// What a command prints: results on stdout, everything else on stderr. Colours and other control
// sequences appear only on a terminal, and never if NO_COLOR is set or TERM is "dumb".
//
// Thread-safe. A write blocks while its reader is slow.
class Console {
 public:
  // The parts of the environment that count. Tests set them.
  struct Streams {
    int out = 1;
    int err = 2;
    bool out_is_terminal = false;
    bool err_is_terminal = false;
    bool colours = false;  // on those of both that are terminals
  };

  Console() : Console(OfThisProcess()) {}
  explicit Console(const Streams& streams) : streams_(streams) {}

  bool out_is_terminal() const { return streams_.out_is_terminal; }
  bool err_is_terminal() const { return streams_.err_is_terminal; }

  // Writes to stdout. False: the reader has gone, or the write failed. Then nothing more is written
  // to stdout, and the command should end.
  bool Print(absl::string_view text);
  // The error of a failed write, such as "No space left on device". Empty if there was none, or if
  // the reader has gone: that is a normal end.
  std::string WriteError() const;

  // Prints one line on stderr. It takes the place of the progress line.
  void Note(absl::string_view text);
  // The same, as an error.
  void Complain(absl::string_view text);
  // Shows a line on stderr that the next one replaces. It has no effect if stderr is no terminal.
  // Empty: removes it.
  void ShowProgress(absl::string_view text);

  // `text` in a colour, for stdout or for stderr.
  std::string OutColour(Colour colour, absl::string_view text) const {
    return Paint(streams_.out_is_terminal, colour, text);
  }
  std::string ErrColour(Colour colour, absl::string_view text) const {
    return Paint(streams_.err_is_terminal, colour, text);
  }

 private:
  static Streams OfThisProcess();
  std::string Paint(bool is_terminal, Colour colour, absl::string_view text) const;
  void WriteErr(absl::string_view text);

  const Streams streams_;
  mutable std::mutex mutex_;
  bool out_has_ended_ = false;
  std::string write_error_;
  bool has_progress_ = false;
};

// Text of others for a terminal: control characters, which could change the terminal, become
// escapes such as \x1b. Tabs and line ends stay.
std::string Harmless(absl::string_view text);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_CONSOLE_H_
