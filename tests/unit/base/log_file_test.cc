#include "base/log_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/log.h"

namespace usher {
namespace {

const std::string line = std::string(300, 'x') + '\n';

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(LogFile, WritesWhatItGotBeforeItEndsAndReopensUnderItsName) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-log-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "access.log";
  {
    auto log = LogFile::open(path);
    ASSERT_TRUE(log);
    (*log)->write(line);
    // The rotated file has the first line once the reopening is done; both happen in order.
    while (read(path).empty())
      std::this_thread::yield();
    std::filesystem::rename(path, folder / "old.log");
    (*log)->reopen();
    while (!std::filesystem::exists(path))
      std::this_thread::yield();
    (*log)->write(line);
    EXPECT_EQ((*log)->dropped(), 0u);
  }
  EXPECT_EQ(read(folder / "old.log"), line);
  EXPECT_EQ(read(path), line);
  std::filesystem::remove_all(folder);
}

TEST(LogFile, PutsAFullFileAsideAndKeepsSoMany) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-rotate-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "access.log";
  const auto text = [](int number) { return std::to_string(number) + line; };
  {
    auto log = LogFile::open(path);
    ASSERT_TRUE(log);
    (*log)->rotate_at(line.size(), 3);
    for (int number = 1; number <= 6; ++number) {
      (*log)->write(text(number));
      while (read(path + ".1") != text(number))
        std::this_thread::yield();
    }
  }
  EXPECT_EQ(read(path), "");
  EXPECT_EQ(read(path + ".2"), text(5));
  EXPECT_EQ(read(path + ".3"), text(4));
  EXPECT_FALSE(std::filesystem::exists(path + ".4"));
  std::filesystem::remove_all(folder);
}

// As while one process replaces another.
TEST(LogFile, FollowsWhenAnotherHasPutTheFileAside) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-two-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "access.log";
  {
    auto first = LogFile::open(path);
    auto second = LogFile::open(path);
    ASSERT_TRUE(first && second);
    (*first)->rotate_at(2 * line.size(), 3);
    (*second)->rotate_at(2 * line.size(), 3);
    (*first)->write(line + line);
    while (read(path + ".1").empty() || !std::filesystem::exists(path))
      std::this_thread::yield();
    // What it is about to write may still go where it wrote before; nothing after that.
    (*second)->write(line);
    while (read(path + ".1").size() < 3 * line.size())
      std::this_thread::yield();
    (*second)->write(line);
  }
  EXPECT_EQ(read(path), line);
  EXPECT_FALSE(std::filesystem::exists(path + ".2"));
  std::filesystem::remove_all(folder);
}

TEST(LogFile, GoesOnInAFullFileThatCannotBePutAside) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-stuck-" + std::to_string(::getpid()));
  const std::string path = folder / "access.log";
  std::filesystem::create_directories(path + ".1/not-empty");
  {
    auto log = LogFile::open(path);
    ASSERT_TRUE(log);
    (*log)->rotate_at(1, 1);
    (*log)->write(line);
    while (read(path).size() < line.size())
      std::this_thread::yield();
    (*log)->write(line);
  }
  EXPECT_EQ(read(path), line + line);
  std::filesystem::remove_all(folder);
}

TEST(LogFile, DropsAndCountsWhenNobodyReadsAndEndsAllTheSame) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-fifo-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  // A reader that never reads: the pipe takes 64 KiB, then the log's thread hangs in write(2).
  const Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  auto log = LogFile::open(path);
  ASSERT_TRUE(log);
  const size_t enough = 3 * LogFile::most_buffered / line.size();
  for (size_t i = 0; i < enough; ++i)
    (*log)->write(line);
  EXPECT_GT((*log)->dropped(), 0u);
  // It ends all the same: a test that hangs here has failed.
  log->reset();
  std::filesystem::remove_all(folder);
}

TEST(LogFile, AFloodOfLongLinesLeavesRoomForShortOnes) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-flood-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  auto log = LogFile::open(path);
  ASSERT_TRUE(log);
  const std::string long_line = std::string(8 * LogFile::longest_short, 'y') + '\n';
  for (size_t i = 0; i < 3 * LogFile::most_buffered / long_line.size(); ++i)
    (*log)->write(long_line);
  const uint64_t dropped = (*log)->dropped();
  EXPECT_GT(dropped, 0u);
  for (int i = 0; i < 1000; ++i)
    (*log)->write(line);
  EXPECT_EQ((*log)->dropped(), dropped) << "none of these";
  log->reset();
  std::filesystem::remove_all(folder);
}

TEST(LogFile, SaysWhichFileCannotBeOpened) {
  const auto log = LogFile::open("/nonexistent-folder/access.log");
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().detail, "/nonexistent-folder/access.log: No such file or directory");
}

TEST(LogFile, TakesTheLinesOfTheProcessLogUntilItIsTakenAway) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-process-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "usher.log";
  {
    Log log(-1);
    auto file = LogFile::open(path);
    ASSERT_TRUE(file);
    const std::shared_ptr<LogFile> shared = std::move(*file);
    log.use(shared);
    log.info("first");
    log.debug("of no interest");
    log.use(nullptr);
    log.info("second");
    EXPECT_EQ(shared.use_count(), 1);
  }
  const std::string text = read(path);
  EXPECT_NE(text.find("\"event\":\"first\"}\n"), text.npos);
  EXPECT_EQ(text.find("second"), text.npos);
  EXPECT_EQ(text.find("interest"), text.npos);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace usher
