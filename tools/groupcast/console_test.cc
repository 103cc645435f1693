#include "tools/groupcast/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "gtest/gtest.h"

namespace groupcast::cli {
namespace {

// A pipe whose reader is the test.
class Pipe {
 public:
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    reader_ = ends[0];
    writer_ = ends[1];
    EXPECT_EQ(fcntl(reader_, F_SETFL, O_NONBLOCK), 0);
  }
  ~Pipe() {
    CloseReader();
    close(writer_);
  }

  int writer() const { return writer_; }
  void CloseReader() {
    if (reader_ >= 0) close(reader_);
    reader_ = -1;
  }
  std::string Read() {
    char buffer[4096];
    const ssize_t bytes = read(reader_, buffer, sizeof(buffer));
    return bytes <= 0 ? "" : std::string(buffer, static_cast<size_t>(bytes));
  }

 private:
  int reader_;
  int writer_;
};

class ConsoleTest : public ::testing::Test {
 protected:
  ConsoleTest() { std::signal(SIGPIPE, SIG_IGN); }

  Pipe out_;
  Pipe err_;
};

TEST_F(ConsoleTest, ColoursAreOnlyForTerminalsThatWantThem) {
  const Console terminal({.out_is_terminal = true, .err_is_terminal = false, .colours = true});
  EXPECT_EQ(terminal.OutColour(Colour::kRed, "x"), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(terminal.ErrColour(Colour::kRed, "x"), "x");
  const Console plain({.out_is_terminal = true, .err_is_terminal = true, .colours = false});
  EXPECT_EQ(plain.OutColour(Colour::kRed, "x"), "x");
  EXPECT_EQ(plain.ErrColour(Colour::kRed, "x"), "x");
}

TEST_F(ConsoleTest, AReaderThatGoesIsNoError) {
  Console console({.out = out_.writer(), .err = err_.writer()});
  EXPECT_TRUE(console.Print("one\n"));
  EXPECT_EQ(out_.Read(), "one\n");
  out_.CloseReader();
  EXPECT_FALSE(console.Print("two\n"));
  EXPECT_FALSE(console.Print("three\n"));
  EXPECT_EQ(console.WriteError(), "");
}

TEST_F(ConsoleTest, AFullDiskIsAnError) {
  const int full = open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  Console console({.out = full, .err = err_.writer()});
  EXPECT_FALSE(console.Print("one\n"));
  EXPECT_EQ(console.WriteError(), "No space left on device");
  close(full);
}

TEST_F(ConsoleTest, ANoteTakesThePlaceOfTheProgress) {
  Console console({.out = out_.writer(), .err = err_.writer(), .err_is_terminal = true});
  console.ShowProgress("1 of 2");
  console.Note("a note");
  console.Note("another");
  EXPECT_EQ(err_.Read(), "\r\x1b[K1 of 2\r\x1b[Ka note\nanother\n");
}

TEST_F(ConsoleTest, WithoutATerminalThereIsNoProgress) {
  Console console({.out = out_.writer(), .err = err_.writer()});
  console.ShowProgress("1 of 2");
  console.ShowProgress("");
  EXPECT_EQ(err_.Read(), "");
}

TEST(HarmlessTest, ControlCharactersBecomeEscapes) {
  EXPECT_EQ(Harmless("a\x1b[31mb\x7f\r"), "a\\x1b[31mb\\x7f\\x0d");
  EXPECT_EQ(Harmless("tab\tline\n"), "tab\tline\n");
  EXPECT_EQ(Harmless("\xc2\x9b"
                     "1m"),
            "\\x9b1m");
  EXPECT_EQ(Harmless("\xd9\x87\xd8\xb0\xd9\x87 \xc3\xa9"), "\xd9\x87\xd8\xb0\xd9\x87 \xc3\xa9");
}

}  // namespace
}  // namespace groupcast::cli
