#include "proxy/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace usher::proxy {
namespace {

AccessRecord record() {
  AccessRecord made;
  made.time = WallTime(std::chrono::milliseconds(1'700'000'000'123));
  made.client = "192.0.2.1";
  made.method = "GET";
  made.host = "chat.example.org";
  made.target = "/api/x?token=secret";
  made.protocol = "h1";
  made.status = 200;
  made.bytes_out = 5;
  made.duration = Duration(12);
  made.first_byte = Duration(3);
  made.replica = "10.0.0.1:8080";
  made.affinity = "new";
  made.attempts = 1;
  made.request_id = "abc";
  made.user_agent = "a \"quoted\"\nagent\xff";
  return made;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(AccessLog, WritesEveryFieldAndNoQuery) {
  EXPECT_EQ(
      to_json(record(), "node-1"),
      R"({"time":"2023-11-14T22:13:20.123Z","node":"node-1","client":"192.0.2.1","method":"GET",)"
      R"("host":"chat.example.org","path":"/api/x","protocol":"h1","status":200,"bytes_in":0,)"
      R"("bytes_out":5,"duration_ms":12,"first_byte_ms":3,"replica":"10.0.0.1:8080",)"
      R"("affinity":"new","attempts":1,"error":null,"request_id":"abc",)"
      R"("user_agent":"a \"quoted\"\nagent\ufffd"})"
      "\n");
}

TEST(AccessLog, CombinedCannotBeForgedByAClient) {
  EXPECT_EQ(
      to_combined(record()),
      "192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /api/x?token=secret HTTP/1.1\" 200 5 \"-\" "
      "\"a \\x22quoted\\x22\\x0Aagent\\xFF\"\n");
}

TEST(AccessLog, WritesWhatItGotBeforeItEndsAndReopensUnderItsName) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-log-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  conf::LogSettings settings;
  settings.access = folder / "access.log";
  {
    auto log = AccessLog::open(settings, "n");
    ASSERT_TRUE(log);
    (*log)->write(record());
    // The rotated file has the first line once the reopening is done; both happen in order.
    while (read(settings.access).empty())
      std::this_thread::yield();
    std::filesystem::rename(settings.access, folder / "old.log");
    (*log)->reopen();
    while (!std::filesystem::exists(settings.access))
      std::this_thread::yield();
    (*log)->write(record());
    EXPECT_EQ((*log)->dropped(), 0u);
  }
  EXPECT_EQ(read(folder / "old.log"), to_json(record(), "n"));
  EXPECT_EQ(read(settings.access), to_json(record(), "n"));
  std::filesystem::remove_all(folder);
}

TEST(AccessLog, DropsAndCountsWhenNobodyReadsAndEndsAllTheSame) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-fifo-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  conf::LogSettings settings;
  settings.access = folder / "fifo";
  ASSERT_EQ(::mkfifo(settings.access.c_str(), 0600), 0);
  // A reader that never reads: the pipe takes 64 KiB, then the log's thread hangs in write(2).
  const Fd reader(::open(settings.access.c_str(), O_RDONLY | O_NONBLOCK));
  auto log = AccessLog::open(settings, "n");
  ASSERT_TRUE(log);
  const size_t enough = 3 * AccessLog::most_buffered / to_json(record(), "n").size();
  for (size_t i = 0; i < enough; ++i)
    (*log)->write(record());
  EXPECT_GT((*log)->dropped(), 0u);
  // It ends all the same: a test that hangs here has failed.
  log->reset();
  std::filesystem::remove_all(folder);
}

TEST(AccessLog, SaysWhichFileCannotBeOpened) {
  conf::LogSettings settings;
  settings.access = "/nonexistent-folder/access.log";
  const auto log = AccessLog::open(settings, "n");
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().detail,
            "log.access: /nonexistent-folder/access.log: No such file or directory");
}

}  // namespace
}  // namespace usher::proxy
