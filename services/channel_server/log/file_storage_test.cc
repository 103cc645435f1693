#include "services/channel_server/log/file_storage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/channel_server/log/group_log.h"
#include "services/channel_server/log/testing/resource_limit.h"

namespace groupcast::service {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileStorageTest : public testing::TestWithParam<FsyncMode> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/storage.XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern + "/data";
  }
  void TearDown() override {
    std::filesystem::remove_all(std::filesystem::path(directory_).parent_path());
  }

  std::unique_ptr<FileStorage> Open(FsyncMode fsync = FsyncMode::kNever) {
    absl::StatusOr<std::unique_ptr<FileStorage>> storage = FileStorage::Open(directory_, fsync);
    EXPECT_TRUE(storage.ok()) << storage.status();
    return storage.ok() ? *std::move(storage) : nullptr;
  }
  void Write(const std::string& name, const std::string& contents) {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << contents;
  }
  std::string Contents(const std::string& name) {
    std::ifstream file(directory_ + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  std::string directory_;
};

void ExpectUnusable(const std::string& directory, const std::string& why) {
  const absl::Status status = FileStorage::Open(directory, FsyncMode::kNever).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(directory), HasSubstr(why)));
}

TEST(FsyncModeTest, IsParsed) {
  EXPECT_EQ(*ParseFsyncMode("never"), FsyncMode::kNever);
  EXPECT_EQ(*ParseFsyncMode("interval"), FsyncMode::kInterval);
  EXPECT_EQ(*ParseFsyncMode("always"), FsyncMode::kAlways);
  EXPECT_EQ(ParseFsyncMode("Always").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(BootIdTest, StaysTheSame) {
  EXPECT_EQ(ReadBootId().size(), 36u);
  EXPECT_EQ(ReadBootId(), ReadBootId());
}

TEST_F(FileStorageTest, MakesTheDirectoryForItsUserOnly) {
  const auto storage = Open();
  struct stat status;
  ASSERT_EQ(stat(directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  EXPECT_THAT(*storage->List(), IsEmpty());
}

TEST_F(FileStorageTest, TwoServersCannotUseOneDirectory) {
  auto storage = Open();
  ExpectUnusable(directory_, "is in use by another channel server; stop that one, or");
  storage.reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(FileStorageTest, AKilledServersDirectoryIsFree) {
  int opened[2];
  ASSERT_EQ(pipe(opened), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto storage = FileStorage::Open(directory_, FsyncMode::kNever);
    const char ok = storage.ok() ? 'y' : 'n';
    if (write(opened[1], &ok, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char ok = 0;
  ASSERT_EQ(read(opened[0], &ok, 1), 1);
  EXPECT_EQ(ok, 'y');
  ExpectUnusable(directory_, "is in use");
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_NE(Open(), nullptr);
  close(opened[0]);
  close(opened[1]);
}

TEST_F(FileStorageTest, WhatIsNoDirectoryIsRefused) {
  std::ofstream(directory_) << "a file";
  ExpectUnusable(directory_, "is not a directory");
  ExpectUnusable(directory_ + "/below", "cannot be made");
}

TEST_F(FileStorageTest, ADirectoryThatMayNotBeWrittenToIsRefused) {
  ASSERT_EQ(mkdir(directory_.c_str(), 0555), 0);
  ASSERT_EQ(chmod(std::filesystem::path(directory_).parent_path().c_str(), 0755), 0);
  // Root may write everywhere.
  constexpr uid_t kNobody = 65534;
  const bool is_root = geteuid() == 0;
  ASSERT_TRUE(!is_root || seteuid(kNobody) == 0);
  ExpectUnusable(directory_, "Permission denied");
  ASSERT_TRUE(!is_root || seteuid(0) == 0);
}

// Nobody's directory is touched: only then the log finds out whose it is.
TEST_F(FileStorageTest, LeavesNothingInADirectory) {
  Open().reset();
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(FileStorageTest, RemovesWhatAKilledServerHadNotFinished) {
  Open().reset();
  Write(".groupcast-unfinished", "half");
  const auto storage = Open();
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(FileStorageTest, ANewFileSystemIsEmpty) {
  Open().reset();
  std::filesystem::create_directory(directory_ + "/lost+found");
  EXPECT_THAT(*Open()->List(), IsEmpty());
}

TEST_P(FileStorageTest, WritesAndReads) {
  auto storage = Open(GetParam());
  EXPECT_EQ(storage->Append("early").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(storage->Create("a", "begin").ok());
  ASSERT_TRUE(storage->Append(" one").ok());
  ASSERT_TRUE(storage->Append(" two").ok());
  ASSERT_TRUE(storage->Create("b", "").ok());
  ASSERT_TRUE(storage->Append(std::string(100'000, 'x')).ok());
  ASSERT_TRUE(storage->Sync().ok());
  EXPECT_THAT(*storage->List(), ElementsAre("a", "b"));
  storage = nullptr;
  storage = Open(GetParam());
  EXPECT_EQ(*storage->Read("a"), "begin one two");
  EXPECT_EQ(*storage->Read("b"), std::string(100'000, 'x'));
  EXPECT_EQ(storage->Read("c").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(storage->Truncate("a", 5).ok());
  EXPECT_EQ(Contents("a"), "begin");
  ASSERT_TRUE(storage->Remove("a").ok());
  EXPECT_EQ(storage->Remove("a").code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(*storage->List(), ElementsAre("b"));
}
INSTANTIATE_TEST_SUITE_P(Modes, FileStorageTest,
                         testing::Values(FsyncMode::kNever, FsyncMode::kInterval,
                                         FsyncMode::kAlways));

TEST_P(FileStorageTest, WhatIsTruncatedIsAppendedToAtItsNewEnd) {
  const auto storage = Open(GetParam());
  ASSERT_TRUE(storage->Create("a", "begin").ok());
  ASSERT_TRUE(storage->Append("one").ok());
  ASSERT_TRUE(storage->Truncate("a", 5).ok());
  ASSERT_TRUE(storage->Append("two").ok());
  EXPECT_EQ(Contents("a"), "begintwo");
}

// A write that is cut short by a full disk leaves nothing.
TEST_P(FileStorageTest, AnAppendThatFindsNoRoomLeavesNothing) {
  const auto storage = Open(GetParam());
  ASSERT_TRUE(storage->Create("a", std::string(900, 'a')).ok());
  {
    const ResourceLimit limit(RLIMIT_FSIZE, 1000);
    EXPECT_EQ(storage->Append(std::string(200, 'b')).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(std::filesystem::file_size(directory_ + "/a"), 900u);
    EXPECT_TRUE(storage->Append(std::string(50, 'c')).ok());
    EXPECT_EQ(storage->Append(std::string(51, 'd')).code(), absl::StatusCode::kResourceExhausted);
  }
  EXPECT_TRUE(storage->Append(std::string(200, 'e')).ok());
  EXPECT_EQ(Contents("a"), std::string(900, 'a') + std::string(50, 'c') + std::string(200, 'e'));
}

TEST_P(FileStorageTest, AFileThatFindsNoRoomDoesNotAppear) {
  const auto storage = Open(GetParam());
  ASSERT_TRUE(storage->Create("a", "begin").ok());
  {
    const ResourceLimit limit(RLIMIT_FSIZE, 1000);
    EXPECT_EQ(storage->Create("b", std::string(1001, 'b')).code(),
              absl::StatusCode::kResourceExhausted);
  }
  EXPECT_THAT(*storage->List(), ElementsAre("a"));
  ASSERT_TRUE(storage->Append(" goes on").ok());
  EXPECT_EQ(Contents("a"), "begin goes on");
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/.groupcast-unfinished"));
}

// What FinishCreate says when the other thread has its result.
absl::Status WaitForCreate(FileStorage* storage) {
  for (;;) {
    if (const std::optional<absl::Status> created = storage->FinishCreate()) return *created;
    std::this_thread::yield();
  }
}

TEST_P(FileStorageTest, AppendsGoOnWhileTheNextFileIsMade) {
  auto storage = Open(GetParam());
  EXPECT_FALSE(storage->FinishCreate().has_value());
  ASSERT_TRUE(storage->Create("a", "begin").ok());
  storage->BeginCreate("b", "next");
  ASSERT_TRUE(storage->Append(" one").ok());
  ASSERT_TRUE(WaitForCreate(storage.get()).ok());
  EXPECT_FALSE(storage->FinishCreate().has_value());
  ASSERT_TRUE(storage->Append(" two").ok());
  ASSERT_TRUE(storage->AppendUnsynced(" three").ok());
  storage = nullptr;
  EXPECT_EQ(Contents("a"), "begin one");
  EXPECT_EQ(Contents("b"), "next two three");
}

TEST_P(FileStorageTest, ANextFileThatFindsNoRoomIsToldAndAppendsGoOn) {
  const auto storage = Open(GetParam());
  ASSERT_TRUE(storage->Create("a", "begin").ok());
  {
    const ResourceLimit limit(RLIMIT_FSIZE, 1000);
    storage->BeginCreate("b", std::string(1001, 'b'));
    EXPECT_EQ(WaitForCreate(storage.get()).code(), absl::StatusCode::kResourceExhausted);
  }
  ASSERT_TRUE(storage->Append(" goes on").ok());
  EXPECT_EQ(Contents("a"), "begin goes on");
  EXPECT_THAT(*storage->List(), ElementsAre("a"));
  storage->BeginCreate("b", "b");
  EXPECT_TRUE(WaitForCreate(storage.get()).ok());
}

TEST_P(FileStorageTest, RemovesInOrderWithoutBeingWaitedFor) {
  const auto storage = Open(GetParam());
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(storage->Create(name, "").ok());
  // What cannot be removed holds up those after it.
  ASSERT_EQ(mkdir((directory_ + "/0").c_str(), 0755), 0);
  storage->RemoveLater("a");
  storage->RemoveLater("0");
  storage->RemoveLater("b");
  while (std::filesystem::exists(directory_ + "/a")) std::this_thread::yield();
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/b"));
  ASSERT_EQ(rmdir((directory_ + "/0").c_str()), 0);
  while (std::filesystem::exists(directory_ + "/b")) std::this_thread::yield();
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/c"));
}

// The log on files, as the channel server has it: killed in the middle of a write.
TEST_P(FileStorageTest, KeepsALogOverAKill) {
  class Turns final : public GroupLogVisitor {
   public:
    absl::Status OnSnapshotPart(absl::string_view) override { return absl::OkStatus(); }
    void OnSnapshotEnd() override {}
    absl::Status OnTurn(absl::string_view turn) override {
      turns.emplace_back(turn);
      return absl::OkStatus();
    }
    std::vector<std::string> turns;
  };
  GroupLogOptions options;
  options.fsync = GetParam();
  options.boot_id = ReadBootId();
  for (int life = 0; life < 3; ++life) {
    const auto storage = Open(GetParam());
    Turns visited;
    RecoveryReport report;
    const auto log = GroupLog::Open(options, storage.get(), &visited, &report);
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ(visited.turns.size(), static_cast<size_t>(life));
    EXPECT_EQ(report.torn_bytes, life == 0 ? 0u : 4u);
    EXPECT_FALSE(report.tail_may_be_missing);
    ASSERT_TRUE((*log)->Start({std::string("snapshot")}, absl::UnixEpoch()).ok());
    std::string record(GroupLog::kRecordHeaderBytes, '\0');
    ASSERT_TRUE((*log)->Append(&(record += "turn")).ok());
    ASSERT_TRUE(storage->Append("half").ok());
  }
}

// As when a server is stopped while old segments are being deleted.
TEST_P(FileStorageTest, SyncsWhileFilesAreRemoved) {
  const auto storage = Open(GetParam());
  ASSERT_TRUE(storage->Create("last", "").ok());
  for (int i = 0; i < 200; ++i) Write(std::to_string(i), "");
  for (int i = 0; i < 200; ++i) storage->RemoveLater(std::to_string(i));
  const absl::Status synced = storage->Sync();
  EXPECT_TRUE(synced.ok()) << synced;
}

TEST_F(FileStorageTest, AForeignDirectoryIsRefusedByTheLogAndLeftAsItWas) {
  class Nobody final : public GroupLogVisitor {
   public:
    absl::Status OnSnapshotPart(absl::string_view) override {
      return absl::InternalError("visited");
    }
    void OnSnapshotEnd() override {}
    absl::Status OnTurn(absl::string_view) override { return absl::InternalError("visited"); }
  } nobody;
  Open().reset();
  Write("photo.jpg", "dear to somebody");
  const auto storage = Open();
  RecoveryReport report;
  const absl::Status status = GroupLog::Open({}, storage.get(), &nobody, &report).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(directory_), HasSubstr("photo.jpg")));
  EXPECT_THAT(*storage->List(), ElementsAre("photo.jpg"));
}

}  // namespace
}  // namespace groupcast::service
