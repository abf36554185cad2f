#include "control/state_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace usher::control {
namespace {

namespace fs = std::filesystem;

class StateDirectoryTest : public ::testing::Test {
 protected:
  fs::path folder_ = fs::temp_directory_path() / ("usher-state-" + std::to_string(::getpid()));
  void TearDown() override { fs::remove_all(folder_); }
};

TEST_F(StateDirectoryTest, IsMadeAndKeepsTheSecretForItsOwnerOnly) {
  const StateDirectory state = StateDirectory::find(folder_ / "deep");
  EXPECT_EQ(state.problem(), "");
  const std::string secret = state.affinity_secret();
  EXPECT_GE(secret.size(), 43u);
  EXPECT_EQ(StateDirectory::find(folder_ / "deep").affinity_secret(), secret);
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "deep/affinity.secret").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(StateDirectoryTest, IsClosedToOthersWhateverTheMaskIs) {
  const mode_t before = ::umask(0);
  StateDirectory::find(folder_ / "state");
  ::umask(before);
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "state").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST_F(StateDirectoryTest, ClosesTheOneInAUsualPlaceThatStandsOpen) {
  fs::create_directories(folder_ / "usher");
  ::chmod((folder_ / "usher").c_str(), 0755);
  ::setenv("STATE_DIRECTORY", (folder_ / "usher").c_str(), 1);
  StateDirectory::find("");
  ::unsetenv("STATE_DIRECTORY");
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "usher").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST_F(StateDirectoryTest, KeepsAndDropsSmallFilesByName) {
  const StateDirectory state = StateDirectory::find(folder_);
  state.keep("copy-b", "b");
  state.keep("copy-a", "a");
  state.keep("other", "c");
  EXPECT_EQ(state.names("copy-"), (std::vector<std::string>{"copy-a", "copy-b"}));
  state.drop("copy-a");
  EXPECT_EQ(state.names("copy-"), std::vector<std::string>{"copy-b"});
}

TEST_F(StateDirectoryTest, AnAgreedSecretReplacesTheProposedOne) {
  const StateDirectory state = StateDirectory::find(folder_);
  const std::string mine = state.affinity_secret();
  const std::string theirs(43, 'x');
  state.keep_affinity_secret(theirs);
  EXPECT_NE(mine, theirs);
  EXPECT_EQ(state.affinity_secret(), theirs);
}

TEST_F(StateDirectoryTest, ADamagedSecretIsReplaced) {
  const StateDirectory state = StateDirectory::find(folder_);
  std::ofstream(folder_ / "affinity.secret") << "short\n";
  EXPECT_GE(state.affinity_secret().size(), 43u);
}

TEST_F(StateDirectoryTest, SaysWhyNothingCanBeKeptAndServesAllTheSame) {
  const StateDirectory state = StateDirectory::find("/proc/nowhere");
  EXPECT_NE(state.problem(), "");
  EXPECT_GE(state.affinity_secret().size(), 43u);
}

}  // namespace
}  // namespace usher::control
