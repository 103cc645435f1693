// Against real pipes, terminals, sockets and files. A write that waits hangs its test.

#include "services/common/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;

std::string Notice(uint64_t count) { return absl::StrCat(count, " dropped\n"); }

// The bytes that are there.
std::string ReadAvailable(const Fd& fd) {
  std::string text;
  char buffer[4096];
  for (pollfd item{.fd = fd.get(), .events = POLLIN}; poll(&item, 1, 0) == 1;) {
    const ssize_t count = read(fd.get(), buffer, sizeof(buffer));
    if (count <= 0) break;
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

struct Ends {
  Fd reader;
  Fd writer;
};

Ends Pipe() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

Ends Sockets(int type) {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

// Writes until a line is dropped. Returns the number of lines before it.
int Fill(LineWriter* writer) {
  int lines = 0;
  while (writer->dropped() == 0) writer->Write(absl::StrCat("filling ", lines++, "\n"));
  return lines - 1;
}

class LineWriterTest : public testing::Test {
 protected:
  LineWriterTest() { GuardStandardStreams(); }
};

TEST_F(LineWriterTest, WritesLinesAsTheyAre) {
  const Ends pipe = Pipe();
  LineWriter writer(pipe.writer.get(), Notice);
  writer.Write("one\n");
  writer.Write("two\n\nthree\n");
  EXPECT_EQ(ReadAvailable(pipe.reader), "one\ntwo\n\nthree\n");
  EXPECT_EQ(writer.dropped(), 0u);
}

// The reader stands still, then reads on.
void ExpectNoWaitFor(const Ends& ends) {
  LineWriter writer(ends.writer.get(), Notice);
  const int written = Fill(&writer);
  writer.Write("two\nlines\n");
  EXPECT_EQ(writer.dropped(), 3u);
  const std::vector<std::string> lines = Lines(ReadAvailable(ends.reader));
  ASSERT_EQ(lines.size(), static_cast<size_t>(written));
  for (int i = 0; i < written; ++i) EXPECT_EQ(lines[i], absl::StrCat("filling ", i));
  writer.Write("again\n");
  writer.Write("and again\n");
  EXPECT_THAT(Lines(ReadAvailable(ends.reader)), ElementsAre("3 dropped", "again", "and again"));
  EXPECT_EQ(writer.dropped(), 0u);
  EXPECT_EQ(writer.dropped_total(), 3u);
}

TEST_F(LineWriterTest, APipeThatNobodyReadsCostsLinesAndNoTime) { ExpectNoWaitFor(Pipe()); }

TEST_F(LineWriterTest, ASocketThatNobodyReadsCostsLinesAndNoTime) {
  ExpectNoWaitFor(Sockets(SOCK_STREAM));
}

// A shell, for example, has the same description as its standard input.
TEST_F(LineWriterTest, TheDescriptorItselfStaysAsItIs) {
  const Ends pipe = Pipe();
  LineWriter writer(pipe.writer.get(), Notice);
  Fill(&writer);
  EXPECT_EQ(fcntl(pipe.writer.get(), F_GETFL) & O_NONBLOCK, 0);
}

void ExpectLossOfThree(Ends ends) {
  LineWriter writer(ends.writer.get(), Notice);
  ends.reader.Reset();
  for (int i = 0; i < 3; ++i) writer.Write("line\n");
  EXPECT_EQ(writer.dropped(), 3u);
}

TEST_F(LineWriterTest, AReaderThatIsGoneCostsLines) {
  ExpectLossOfThree(Pipe());
  ExpectLossOfThree(Sockets(SOCK_STREAM));
}

TEST_F(LineWriterTest, ADescriptorThatIsClosedCostsLines) {
  Ends pipe = Pipe();
  const int closed = pipe.writer.get();
  pipe.writer.Reset();
  LineWriter writer(closed, Notice);
  writer.Write("line\n");
  EXPECT_EQ(writer.dropped(), 1u);
}

// A named pipe cannot be opened for writing while it has no reader, so the writer has to use the
// descriptor that it shares.
class WithoutOwnDescriptionTest : public LineWriterTest {
 protected:
  WithoutOwnDescriptionTest() {
    EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
    ends_.reader = OpenReader();
    ends_.writer = Fd(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    ends_.reader.Reset();
  }
  ~WithoutOwnDescriptionTest() override { unlink(path_.c_str()); }

  Fd OpenReader() { return Fd(open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)); }

  const std::string path_ = absl::StrCat(std::getenv("TEST_TMPDIR"), "/fifo.", getpid());
  Ends ends_;
};

TEST_F(WithoutOwnDescriptionTest, NothingWaits) {
  LineWriter writer(ends_.writer.get(), Notice);
  writer.Write("nobody is there\n");
  EXPECT_EQ(writer.dropped(), 1u);
  ends_.reader = OpenReader();
  writer.Write("somebody\n");
  EXPECT_THAT(Lines(ReadAvailable(ends_.reader)), ElementsAre("1 dropped", "somebody"));
  Fill(&writer);
  ReadAvailable(ends_.reader);
  writer.Write("again\n");
  EXPECT_THAT(Lines(ReadAvailable(ends_.reader)), ElementsAre("1 dropped", "again"));
}

// Ctrl-S stops a terminal's output until Ctrl-Q.
TEST_F(LineWriterTest, AStoppedTerminalCostsLinesAndNoTime) {
  const Fd terminal(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal.valid());
  ASSERT_EQ(grantpt(terminal.get()), 0);
  ASSERT_EQ(unlockpt(terminal.get()), 0);
  const Fd output(open(ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(output.valid());
  LineWriter writer(output.get(), Notice);
  ASSERT_EQ(tcflow(output.get(), TCOOFF), 0);
  writer.Write("stopped\n");
  EXPECT_EQ(writer.dropped(), 1u);
  ASSERT_EQ(tcflow(output.get(), TCOON), 0);
  writer.Write("on\n");
  std::string text;
  char buffer[256];
  while (text.find("on\r\n") == std::string::npos) {
    const ssize_t count = read(terminal.get(), buffer, sizeof(buffer));
    ASSERT_GT(count, 0);
    text.append(buffer, static_cast<size_t>(count));
  }
  EXPECT_EQ(text, "1 dropped\r\non\r\n");
}

TEST_F(LineWriterTest, AFullDiskCostsLines) {
  const Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  LineWriter writer(full.get(), Notice);
  writer.Write("line\n");
  writer.Write("line\n");
  EXPECT_EQ(writer.dropped(), 2u);
}

// The disk becomes full within a line, and then has room again.
TEST_F(LineWriterTest, ATornLineIsDroppedAndTheNextOneBeginsALine) {
  const std::string path = absl::StrCat(std::getenv("TEST_TMPDIR"), "/log.", getpid());
  const Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  LineWriter writer(file.get(), Notice);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit narrow = before;
  narrow.rlim_cur = 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &narrow), 0);
  writer.Write("1234\n67890\nrest\n");
  const uint64_t dropped = writer.dropped();
  writer.Write("more\n");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(dropped, 2u);
  EXPECT_EQ(writer.dropped(), 3u);
  writer.Write("again\n");
  lseek(file.get(), 0, SEEK_SET);
  EXPECT_EQ(ReadAvailable(file), "1234\n67890\n3 dropped\nagain\n");
  unlink(path.c_str());
}

// Each message of a datagram socket is one write.
TEST_F(LineWriterTest, AWriteHasWholeLinesAndNoMoreThanAPipeKeepsTogether) {
  const Ends ends = Sockets(SOCK_DGRAM);
  LineWriter writer(ends.writer.get(), Notice);
  std::string lines;
  for (int i = 0; i < 400; ++i) absl::StrAppend(&lines, "a line of a table ", i, "\n");
  writer.Write(lines);
  EXPECT_EQ(writer.dropped(), 0u);
  std::string all;
  char buffer[2 * LineWriter::kLineBytesMax];
  for (ssize_t count;
       (count = recv(ends.reader.get(), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0;) {
    const std::string piece(buffer, static_cast<size_t>(count));
    EXPECT_LE(piece.size(), LineWriter::kLineBytesMax);
    EXPECT_EQ(piece.back(), '\n');
    all += piece;
  }
  EXPECT_EQ(all, lines);
}

TEST_F(LineWriterTest, ALongLineIsCutAndMarked) {
  const Ends pipe = Pipe();
  LineWriter writer(pipe.writer.get(), Notice);
  const std::string longest(LineWriter::kLineBytesMax - 1, 'x');
  writer.Write(absl::StrCat(longest, "\n"));
  EXPECT_EQ(ReadAvailable(pipe.reader), absl::StrCat(longest, "\n"));
  writer.Write(absl::StrCat(longest, "y\nnext\n"));
  const std::vector<std::string> lines = Lines(ReadAvailable(pipe.reader));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].size(), LineWriter::kLineBytesMax - 1);
  EXPECT_THAT(lines[0], testing::EndsWith("xxx... (cut)"));
  EXPECT_EQ(lines[1], "next");
}

}  // namespace
}  // namespace groupcast::service
