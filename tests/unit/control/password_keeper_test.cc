#include "control/password_keeper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/fd.h"

namespace usher::control {
namespace {

namespace fs = std::filesystem;

class APasswordKeeper : public ::testing::Test {
 protected:
  APasswordKeeper() { settings_.routes.emplace_back().basic_auth.file = path_; }
  ~APasswordKeeper() override { fs::remove_all(folder_); }

  void write(const std::string& text) const {
    std::ofstream(folder_ / "new") << text;
    fs::rename(folder_ / "new", path_);
  }
  void start() {
    auto set = PasswordKeeper::load(settings_);
    ASSERT_TRUE(set) << set.error().detail;
    keeper_.use(std::move(*set));
  }
  bool knows(const char* name) const { return keeper_.files().at(path_)->find(name).known; }
  std::string log() const {
    std::stringstream text;
    text << std::ifstream(folder_ / "log").rdbuf();
    return text.str();
  }

  static fs::path make_folder() {
    std::string name = fs::temp_directory_path() / "usher-passwords-XXXXXX";
    return ::mkdtemp(name.data());
  }

  fs::path folder_ = make_folder();
  const std::string path_ = folder_ / "htpasswd";
  Fd log_file_{::open((folder_ / "log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  conf::Settings settings_;
  Log log_{log_file_.get()};
  net::Loop loop_;
  int changes_ = 0;
  PasswordKeeper keeper_{loop_, log_, [this] { ++changes_; }};
};

TEST_F(APasswordKeeper, ReadsAFileAgainThatHasBeenLeftAloneForALook) {
  write("joe:{PLAIN}a\n");
  start();
  keeper_.look();
  EXPECT_EQ(changes_, 0);
  write("ann:{PLAIN}b\n");
  keeper_.look();
  EXPECT_TRUE(knows("joe"));
  keeper_.look();
  EXPECT_TRUE(knows("ann"));
  EXPECT_FALSE(knows("joe"));
  EXPECT_EQ(changes_, 1);
  keeper_.look();
  EXPECT_EQ(changes_, 1);
}

TEST_F(APasswordKeeper, KeepsWhatItHasWhileThereIsNoFile) {
  write("joe:{PLAIN}a\n");
  start();
  fs::remove(path_);
  for (int i = 0; i < 3; ++i)
    keeper_.look();
  EXPECT_TRUE(knows("joe"));
  EXPECT_NE(log().find("passwords_refused"), std::string::npos);
  write("ann:{PLAIN}b\n");
  for (int i = 0; i < 2; ++i)
    keeper_.look();
  EXPECT_TRUE(knows("ann"));
}

TEST_F(APasswordKeeper, NamesTheFileThatIsNotThere) {
  const auto none = PasswordKeeper::load(settings_);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().detail.find(path_), std::string::npos) << none.error().detail;
}

TEST_F(APasswordKeeper, NamesThoseWhoseHashIsOfNoKind) {
  write("joe:secret\nann:{PLAIN}b\n");
  start();
  EXPECT_NE(log().find("passwords_unusable"), std::string::npos);
  EXPECT_NE(log().find("\"names\":\"joe\""), std::string::npos) << log();
}

}  // namespace
}  // namespace usher::control
