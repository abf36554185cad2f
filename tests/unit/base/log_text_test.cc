#include "base/log_text.h"

#include <gtest/gtest.h>

#include <string>

namespace usher {
namespace {

std::string written(std::string_view text, size_t most) {
  std::string line;
  append_log_string(line, text, most);
  return line;
}

TEST(LogText, LeavesAloneWhatIsShortEnough) {
  EXPECT_EQ(written("", 4), "\"\"");
  EXPECT_EQ(written("abcd", 4), "\"abcd\"");
  EXPECT_EQ(written("\"\"", 4), R"("\"\"")");
}

TEST(LogText, CutsWhatIsTooLongAndSaysHowLongItWas) {
  EXPECT_EQ(written("abcde", 4), R"("abcd...[5 bytes]")");
  EXPECT_EQ(written("\"\"\"", 5), R"("\"\"...[3 bytes]")") << "no escape is cut in two";
  EXPECT_EQ(written("abc\xe2\x82\xac", 5), R"("abc...[6 bytes]")") << "nor is a character";
}

TEST(LogText, CountsWhatIsWrittenNotWhatCame) {
  const std::string worst(60'000, '\xff');
  const std::string line = written(worst, longest_log_field);
  EXPECT_TRUE(line.ends_with("\\ufffd...[60000 bytes]\"")) << line;
  EXPECT_LE(line.size(), longest_log_field + 32);
  EXPECT_GT(line.size(), longest_log_field);
}

}  // namespace
}  // namespace usher
