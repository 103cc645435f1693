// A data directory that the channel server cannot use is an error that says what to do. The server
// ends with 1, and what is in the directory stays as it was.

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kFirstSegment[] = "log-0000000000000001";
constexpr char kNewDirectory[] = "give an empty or a new directory as --data_dir";

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteWhole(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// What is at the path: each file below it with its contents.
std::map<std::string, std::string> Contents(const fs::path& path) {
  std::map<std::string, std::string> contents;
  if (fs::is_regular_file(path)) contents[path] = ReadWhole(path);
  if (!fs::is_directory(path)) return contents;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    contents[entry.path()] = entry.is_regular_file() ? ReadWhole(entry.path()) : "";
  }
  return contents;
}

class DataDirRefusalTest : public ::testing::Test {
 protected:
  // A log with some messages in many groups, of a server that was killed.
  static void SetUpTestSuite() {
    const fs::path directory = NewTempPath("whole");
    Flags flags = {"--data_dir=" + directory.string()};
    ChannelServer channel(flags);
    WebSocketService service(channel, /*workers=*/1);
    TestClient client(service.port());
    for (int i = 0; i < 200; ++i) {
      client.Send(SendToGroup(Quoted(absl::StrCat(i, std::string(100, 'g'))),
                              Quoted(std::string(100, 'm')), "1"));
      ASSERT_EQ(client.NextEvent().name(), "reply");
    }
    channel.Kill();
    whole_log = new fs::path(directory);
  }
  static void TearDownTestSuite() { delete whole_log; }

  DataDirRefusalTest() { fs::copy(*whole_log, data_dir_); }

  fs::path segment() const { return data_dir_ / kFirstSegment; }

  void ExpectRefused(const fs::path& directory, const testing::Matcher<std::string>& sentence) {
    const std::map<std::string, std::string> before = Contents(directory);
    const std::string ready_file = NewTempPath("ready");
    Process server(kChannelServerBinary,
                   {"--port=0", "--data_dir=" + directory.string(), "--ready_file=" + ready_file});
    EXPECT_EQ(server.WaitForEnd(), 1);
    EXPECT_THAT(server.Output(), sentence);
    EXPECT_THAT(server.Output(), HasSubstr(directory.string()));
    EXPECT_FALSE(fs::exists(ready_file));
    EXPECT_TRUE(Contents(directory) == before) << "something in " << directory << " has changed";
  }

  static const fs::path* whole_log;
  const fs::path data_dir_ = NewTempPath("data");
};

const fs::path* DataDirRefusalTest::whole_log = nullptr;

// Its groups are 200 of clients, and the one of the services.
TEST_F(DataDirRefusalTest, TheWholeLogIsTaken) {
  ChannelServer channel({"--data_dir=" + data_dir_.string()});
  EXPECT_THAT(channel.process().Output(),
              HasSubstr("it goes on after offset 200, with 201 groups"));
}

TEST_F(DataDirRefusalTest, ADamagedByteAnywhere) {
  const std::string whole = ReadWhole(segment());
  // In the segment's header, its first records, and the messages' records from the first to the
  // last.
  for (const size_t at :
       {size_t{13}, size_t{30}, size_t{70}, whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
    SCOPED_TRACE(absl::StrCat("byte ", at, " of ", whole.size()));
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    WriteWhole(segment(), damaged);
    ExpectRefused(data_dir_, AllOf(HasSubstr(segment().string()), HasSubstr("is damaged at byte"),
                                   HasSubstr("Restore the directory from a backup, or start with a "
                                             "new --data_dir: members are then told")));
  }
}

TEST_F(DataDirRefusalTest, AMissingSegment) {
  fs::copy(segment(), data_dir_ / "log-0000000000000003");
  ExpectRefused(data_dir_, AllOf(HasSubstr("log-0000000000000002 is missing"),
                                 HasSubstr("Restore the directory from a backup")));
}

TEST_F(DataDirRefusalTest, ANewerFormat) {
  std::string bytes = ReadWhole(segment());
  bytes[8] = 4;  // the version's lowest byte
  WriteWhole(segment(), bytes);
  ExpectRefused(
      data_dir_,
      AllOf(HasSubstr("was written by a newer version of the channel server (format 4, this"),
            HasSubstr("use that version or another --data_dir")));
}

TEST_F(DataDirRefusalTest, AnothersDirectory) {
  const fs::path photos = NewTempPath("photos");
  fs::create_directories(photos / "summer");
  WriteWhole(photos / "beach.jpg", "sand");
  WriteWhole(photos / "summer" / "log-0000000000000001", "tree");
  ExpectRefused(photos, AllOf(HasSubstr("is not a data directory of the channel server: it has"),
                              HasSubstr("beach.jpg"), HasSubstr(kNewDirectory)));
}

TEST_F(DataDirRefusalTest, AnothersFileWithTheNameOfOurs) {
  const fs::path timber = NewTempPath("timber");
  fs::create_directory(timber);
  WriteWhole(timber / kFirstSegment, "beech, 3 m");
  ExpectRefused(timber,
                AllOf(HasSubstr("is not a log of the channel server"), HasSubstr(kNewDirectory)));
}

TEST_F(DataDirRefusalTest, OneThatAnotherServerUses) {
  ChannelServer first({"--data_dir=" + data_dir_.string()});
  ExpectRefused(data_dir_, HasSubstr("is in use by another channel server; stop that one, or give "
                                     "this one a --data_dir of its own"));
  EXPECT_EQ(first.process().Poll(), std::nullopt);
}

TEST_F(DataDirRefusalTest, AFile) {
  const fs::path file = NewTempPath("file");
  WriteWhole(file, "text");
  ExpectRefused(file, HasSubstr("is not a directory; name one, or a path where none is"));
  ExpectRefused(file / "below", AllOf(HasSubstr("cannot be made: Not a directory"),
                                      HasSubstr("name one below a directory that is there")));
  EXPECT_EQ(ReadWhole(file), "text");
}

TEST_F(DataDirRefusalTest, OneBelowADirectoryThatIsNotThere) {
  ExpectRefused(data_dir_ / "no" / "such",
                AllOf(HasSubstr("cannot be made: No such file or directory"),
                      HasSubstr("name one below a directory that is there")));
}

TEST_F(DataDirRefusalTest, OneThatMayNotBeWrittenTo) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  fs::permissions(data_dir_, fs::perms::owner_read | fs::perms::owner_exec);
  ExpectRefused(data_dir_, AllOf(HasSubstr("cannot be read and written to: Permission denied"),
                                 HasSubstr("give it to the user that runs the channel server")));
  ExpectRefused(data_dir_ / "new", HasSubstr("cannot be made: Permission denied"));
  fs::permissions(data_dir_, fs::perms::owner_all);
}

TEST_F(DataDirRefusalTest, OneWithoutRoom) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = 8'192;  // less than the next segment begins with
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ExpectRefused(data_dir_, AllOf(HasSubstr("cannot create"), HasSubstr("File too large"),
                                 HasSubstr("make room there and start again, nothing is lost")));
  limit.rlim_cur = before;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ChannelServer channel({"--data_dir=" + data_dir_.string()});
  EXPECT_THAT(channel.process().Output(),
              HasSubstr("it goes on after offset 200, with 201 groups"));
}

}  // namespace
}  // namespace groupcast::tests
