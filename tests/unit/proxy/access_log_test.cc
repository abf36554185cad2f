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

TEST(AccessLog, ATextIsEscapedAsNginxDoes) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", "-"},
      {"plain ~ text", "plain ~ text"},
      {"a \"quoted\"\nagent\xff", R"(a \x22quoted\x22\x0Aagent\xFF)"},
      {std::string_view("\0\x1f\x7f\\", 4), R"(\x00\x1F\x7F\x5C)"},
  };
  for (const auto& [text, written] : rows) {
    std::string line;
    append_escaped(line, text);
    EXPECT_EQ(line, written);
  }
}

TEST(AccessLog, WritesWhatItGotBeforeItEndsAndReopensUnderItsName) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-log-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "access.log";
  {
    auto log = AccessLog::open(path);
    ASSERT_TRUE(log);
    (*log)->write(to_json(record(), "n"));
    // The rotated file has the first line once the reopening is done; both happen in order.
    while (read(path).empty())
      std::this_thread::yield();
    std::filesystem::rename(path, folder / "old.log");
    (*log)->reopen();
    while (!std::filesystem::exists(path))
      std::this_thread::yield();
    (*log)->write(to_json(record(), "n"));
    EXPECT_EQ((*log)->dropped(), 0u);
  }
  EXPECT_EQ(read(folder / "old.log"), to_json(record(), "n"));
  EXPECT_EQ(read(path), to_json(record(), "n"));
  std::filesystem::remove_all(folder);
}

TEST(AccessLog, DropsAndCountsWhenNobodyReadsAndEndsAllTheSame) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-fifo-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  // A reader that never reads: the pipe takes 64 KiB, then the log's thread hangs in write(2).
  const Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  auto log = AccessLog::open(path);
  ASSERT_TRUE(log);
  const size_t enough = 3 * AccessLog::most_buffered / to_json(record(), "n").size();
  for (size_t i = 0; i < enough; ++i)
    (*log)->write(to_json(record(), "n"));
  EXPECT_GT((*log)->dropped(), 0u);
  // It ends all the same: a test that hangs here has failed.
  log->reset();
  std::filesystem::remove_all(folder);
}

TEST(AccessLog, SaysWhichFileCannotBeOpened) {
  const auto log = AccessLog::open("/nonexistent-folder/access.log");
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().detail,
            "log.access: /nonexistent-folder/access.log: No such file or directory");
}

TEST(AccessLogs, CloseWhatNoSettingsNameWhenNobodyHoldsIt) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-logs-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  conf::LogSettings both;
  both.access = folder / "a.log";
  const std::string places[] = {folder / "b.log", "off", folder / "a.log"};
  for (const std::string& place : places)
    both.files.emplace_back().access = place;
  AccessLogs logs;
  auto held = logs.open(both);
  ASSERT_TRUE(held);
  ASSERT_EQ(held->size(), 4u);
  EXPECT_EQ((*held)[0], (*held)[3]);
  EXPECT_EQ((*held)[2], nullptr);
  EXPECT_TRUE(logs.close_others(both));

  conf::LogSettings one = both;
  one.files.clear();
  ASSERT_TRUE(logs.open(one));
  EXPECT_FALSE(logs.close_others(one));
  (*held)[1]->write("the last line\n");
  held->clear();
  while (!logs.close_others(one))
    std::this_thread::yield();
  EXPECT_EQ(read(folder / "b.log"), "the last line\n");

  // A file that cannot be opened leaves the others as they are.
  conf::LogSettings bad = one;
  bad.files.emplace_back().access = folder / "none" / "e.log";
  EXPECT_FALSE(logs.open(bad));
  EXPECT_TRUE(logs.close_others(one));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace usher::proxy
