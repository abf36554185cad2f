#include "base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace usher {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class AFile : public ::testing::Test {
 protected:
  ~AFile() override { fs::remove_all(folder_); }
  std::string complaint(const std::string& name) const {
    const auto text = read_file(folder_ / name);
    return text ? "none" : text.error().detail;
  }
  static fs::path make_folder() {
    std::string name = fs::temp_directory_path() / "usher-files-XXXXXX";
    return ::mkdtemp(name.data());
  }
  const fs::path folder_ = make_folder();
};

TEST_F(AFile, IsReadWhole) {
  std::ofstream(folder_ / "a") << std::string(10'000, 'x');
  const auto text = read_file(folder_ / "a");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, std::string(10'000, 'x'));
  std::ofstream(folder_ / "b") << std::string(most_read + 10'000, 'x');
  const auto longer = read_file(folder_ / "b");
  ASSERT_TRUE(longer);
  EXPECT_GT(longer->size(), most_read);
  EXPECT_LE(longer->size(), most_read + 4096);
}

TEST_F(AFile, ThatIsMissingIsMissedWhereItsPathEnds) {
  EXPECT_THAT(complaint("a/b/c"), StartsWith("cannot be read: No such file or directory: "));
  EXPECT_THAT(complaint("a/b/c"), HasSubstr("there is no " + (folder_ / "a").string() + " ("));
  std::ofstream(folder_ / "a") << "x";
  EXPECT_THAT(complaint("a/b"), HasSubstr((folder_ / "a").string() + " is no folder"));
  EXPECT_EQ(read_file(folder_ / "c").error().code, Errc::not_found);
  EXPECT_THAT(complaint("c"), HasSubstr("uid " + std::to_string(::geteuid())));
}

TEST_F(AFile, BehindALinkThatLeadsNowhereIsSaidToBe) {
  fs::create_directory(folder_ / "live");
  fs::create_symlink("../archive/key1.pem", folder_ / "live/key.pem");
  EXPECT_THAT(complaint("live/key.pem"), HasSubstr("it is a link to " + folder_.string() +
                                                   "/live/../archive/key1.pem, and there is no "));
}

TEST_F(AFile, ThatIsForbiddenSaysWhoWasRefusedAndWhatHelps) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  fs::create_directory(folder_ / "live");
  std::ofstream(folder_ / "live/key.pem") << "x";
  ::chmod(folder_.c_str(), 0755);
  ::chmod((folder_ / "live/key.pem").c_str(), 0600);
  ASSERT_EQ(::seteuid(65534), 0);
  const std::string of_file = complaint("live/key.pem");
  EXPECT_EQ(::seteuid(0), 0);
  ::chmod((folder_ / "live").c_str(), 0700);
  ASSERT_EQ(::seteuid(65534), 0);
  const std::string of_folder = complaint("live/key.pem");
  EXPECT_EQ(::seteuid(0), 0);
  EXPECT_THAT(of_file,
              StartsWith("cannot be read: Permission denied for uid 65534, gid 0: the file " +
                         (folder_ / "live/key.pem").string() +
                         " belongs to uid 0, gid 0, mode 0600; let this uid or gid"));
  EXPECT_THAT(of_folder, HasSubstr("the folder " + (folder_ / "live").string() +
                                   " belongs to uid 0, gid 0, mode 0700"));
}

TEST_F(AFile, IsAnotherOneWhenItIsWrittenAgain) {
  std::ofstream(folder_ / "a") << "x";
  const FileMark first = mark_of(folder_ / "a");
  EXPECT_EQ(mark_of(folder_ / "a"), first);
  std::ofstream(folder_ / "b") << "x";
  fs::rename(folder_ / "b", folder_ / "a");
  EXPECT_NE(mark_of(folder_ / "a"), first);
  EXPECT_EQ(mark_of(folder_ / "none").error, ENOENT);
}

}  // namespace
}  // namespace usher
