#include "control/file_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace usher::control {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uid_t somebody = 65534;

// The process that serves: from the start of its reader on it has somebody's rights.
class AFileReader : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give rights up";
    ::chmod(folder_.c_str(), 0755);
    fs::create_directory(folder_ / "keys");
    ::chmod((folder_ / "keys").c_str(), 0700);
    write("keys/a.pem", "chain");
    write("keys/a.key", "key");
    write("keys/other", "secret");
    settings("keys/a.pem", "keys/a.key");
    line_.config = folder_ / "usher.toml";
    auto started = FileReader::start(line_, {somebody, somebody, {somebody}});
    ASSERT_TRUE(started) << started.error().detail;
    reader_ = std::move(*started);
    files_ = reader_->files();
    ASSERT_EQ(::seteuid(somebody), 0);
  }
  ~AFileReader() override {
    [[maybe_unused]] const int back = ::seteuid(0);
    fs::remove_all(folder_);
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  void settings(const std::string& chain, const std::string& key) const {
    write("usher.toml", "[[tls.certificate]]\nchain = \"" + (folder_ / chain).string() +
                            "\"\nkey = \"" + (folder_ / key).string() + "\"\n");
  }
  void as_root(const std::function<void()>& act) const {
    ASSERT_EQ(::seteuid(0), 0);
    act();
    ASSERT_EQ(::seteuid(somebody), 0);
  }
  std::string read(Files& files, const std::string& name) const {
    const auto text = files.read(folder_ / name);
    return text ? *text : text.error().detail;
  }
  static fs::path make_folder() {
    std::string name = fs::temp_directory_path() / "usher-reader-XXXXXX";
    return ::mkdtemp(name.data());
  }

  const fs::path folder_ = make_folder();
  conf::CommandLine line_;
  std::unique_ptr<FileReader> reader_;
  Files files_;
};

TEST_F(AFileReader, ReadsAndLooksAtWhatTheSettingsName) {
  EXPECT_FALSE(read_file(folder_ / "keys/a.key"));
  EXPECT_EQ(read(files_, "keys/a.key"), "key");
  const FileMark mark = files_.mark(folder_ / "keys/a.key");
  EXPECT_EQ(mark.error, 0);
  as_root([&] { write("keys/a.key", "another"); });
  EXPECT_NE(files_.mark(folder_ / "keys/a.key"), mark);
  EXPECT_EQ(read(files_, "keys/a.key"), "another");
}

TEST_F(AFileReader, ReadsNothingElse) {
  EXPECT_THAT(read(files_, "keys/other"), HasSubstr("the settings do not name it"));
  EXPECT_EQ(files_.mark(folder_ / "keys/other").error, EACCES);
  EXPECT_THAT(read(files_, "keys/../keys/a.key"), HasSubstr("the settings do not name it"));
}

TEST_F(AFileReader, FollowsTheSettings) {
  as_root([&] { settings("keys/a.pem", "keys/other"); });
  EXPECT_EQ(read(files_, "keys/other"), "secret");
  // Those that cannot be read take nothing away.
  as_root([&] { write("usher.toml", "wokers = 1"); });
  EXPECT_THAT(read(files_, "keys/third"), HasSubstr("the settings do not name it"));
  EXPECT_EQ(read(files_, "keys/other"), "secret");
}

TEST_F(AFileReader, ReadsNothingThatTheAccountCouldHavePutThere) {
  as_root([&] {
    fs::create_directory(folder_ / "own");
    ASSERT_EQ(::chown((folder_ / "own").c_str(), somebody, somebody), 0);
    fs::create_symlink("../keys/other", folder_ / "own/key");
    settings("keys/a.pem", "own/key");
  });
  EXPECT_THAT(read(files_, "own/key"), HasSubstr("could put another file in its place"));
}

TEST_F(AFileReader, SaysWhatIsMissing) {
  as_root([&] { settings("keys/a.pem", "keys/none"); });
  const auto text = files_.read(folder_ / "keys/none");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Errc::not_found);
  EXPECT_THAT(text.error().detail, HasSubstr("No such file or directory"));
}

TEST_F(AFileReader, GivesAnotherLineToASuccessor) {
  Fd line = reader_->another_line();
  ASSERT_TRUE(line.valid());
  FileReader second(std::move(line));
  Files files = second.files();
  reader_.reset();
  EXPECT_EQ(read(files, "keys/a.key"), "key");
}

TEST_F(AFileReader, ThatHasEndedIsNamedAsTheReason) {
  FileReader lost((Fd()));
  Files files = lost.files();
  EXPECT_THAT(read(files, "keys/a.key"), HasSubstr("has ended"));
  EXPECT_THAT(read(files, "usher.toml"), HasSubstr("tls.certificate"));
}

}  // namespace
}  // namespace usher::control
