// Golden tests: each broken/NN-name.toml has exactly the messages of NN-name.expected. After a
// change of wording: USHER_WRITE_EXPECTED=1 unit_conf --gtest_filter='Broken.*', then read the
// diff.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "conf/load.h"
#include "conf/toml_reader.h"

namespace usher::conf {
namespace {

std::vector<std::filesystem::path> broken_files() {
  std::vector<std::filesystem::path> files;
  const auto folder = std::filesystem::path("tests/unit/conf/broken");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(Broken, EveryFileGivesExactlyItsMessages) {
  const auto files = broken_files();
  ASSERT_GE(files.size(), 20U);
  for (const auto& path : files) {
    const auto text = read_file(path.string());
    ASSERT_TRUE(text) << path;
    const auto read = read_toml(path.filename().string(), *text);
    ASSERT_FALSE(read) << path;
    const std::string said = read.error().detail + "\n";

    auto expected_path = path;
    expected_path.replace_extension(".expected");
    if (std::getenv("USHER_WRITE_EXPECTED")) std::ofstream(expected_path) << said;
    const auto expected = read_file(expected_path.string());
    ASSERT_TRUE(expected) << expected_path;
    EXPECT_EQ(said, *expected) << path;
  }
}

TEST(Broken, EveryMessageHasAFileALineAndAColumn) {
  for (const auto& path : broken_files()) {
    const auto read = read_toml("f", *read_file(path.string()));
    ASSERT_FALSE(read) << path;
    std::istringstream lines(read.error().detail);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("f: and ")) continue;
      int row = 0;
      int column = 0;
      EXPECT_EQ(std::sscanf(line.c_str(), "f:%d:%d: ", &row, &column), 2) << line;
      EXPECT_GT(row, 0) << line;
      EXPECT_GT(column, 0) << line;
    }
  }
}

}  // namespace
}  // namespace usher::conf
