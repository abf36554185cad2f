#include "control/log_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace usher::control {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(LogFiles, CloseWhatNoSettingsNameWhenNobodyHoldsIt) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("usher-logs-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  conf::LogSettings both;
  both.access = folder / "a.log";
  const std::string places[] = {folder / "b.log", "off", folder / "a.log"};
  for (const std::string& place : places)
    both.files.emplace_back().access = place;
  LogFiles logs;
  auto held = logs.open(both);
  ASSERT_TRUE(held);
  ASSERT_EQ(held->access.size(), 4u);
  EXPECT_EQ(held->access[0], held->access[3]);
  EXPECT_EQ(held->access[2], nullptr);
  EXPECT_TRUE(logs.close_others(both));

  conf::LogSettings one = both;
  one.files.clear();
  ASSERT_TRUE(logs.open(one));
  EXPECT_FALSE(logs.close_others(one));
  held->access[1]->write("the last line\n");
  held->access.clear();
  while (!logs.close_others(one))
    std::this_thread::yield();
  EXPECT_EQ(read(folder / "b.log"), "the last line\n");

  // A file that cannot be opened leaves the others as they are.
  conf::LogSettings bad = one;
  bad.files.emplace_back().access = folder / "none" / "e.log";
  EXPECT_FALSE(logs.open(bad));
  bad = one;
  bad.process = folder / "none" / "usher.log";
  const auto opened = logs.open(bad);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().detail, "log.process: " + bad.process + ": No such file or directory");
  EXPECT_TRUE(logs.close_others(one));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace usher::control
