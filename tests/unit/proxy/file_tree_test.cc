#include "proxy/file_tree.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>

namespace usher::proxy {
namespace {

namespace fs = std::filesystem;
using Kind = Found::Kind;

class AFileTree : public testing::Test {
 protected:
  AFileTree() {
    std::string made = (fs::temp_directory_path() / "usher-files-XXXXXX").string();
    folder_ = ::mkdtemp(made.data());
    write("www/page.html", "<p>");
    write("www/sub/page.html", "sub");
    write("www/.env", "secret");
    write("www/.git/config", "secret");
    write("www/..data/token", "mounted");
    write("www/.well-known/acme-challenge/token", "token.key");
    write("beside/secret.txt", "secret");
    fs::create_symlink(folder_ / "beside/secret.txt", folder_ / "www/absolute.txt");
    fs::create_symlink("../beside/secret.txt", folder_ / "www/out.txt");
    fs::create_directory_symlink("../beside", folder_ / "www/beside");
    fs::create_symlink("/proc/self/root/etc/passwd", folder_ / "www/magic");
    fs::create_symlink("loop", folder_ / "www/loop");
    fs::create_symlink("..data/token", folder_ / "www/token");
    fs::create_symlink("../page.html", folder_ / "www/sub/up.html");
    fs::create_directory_symlink("www", folder_ / "current");
    ::mkfifo((folder_ / "www/pipe").c_str(), 0600);
  }
  ~AFileTree() override { fs::remove_all(folder_); }

  void write(const fs::path& name, std::string_view text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  Kind kind_of(std::string_view path, const char* root = "www") const {
    return FileTree((folder_ / root).string()).look(path).kind;
  }

  fs::path folder_;
};

TEST_F(AFileTree, HasFilesAndFolders) {
  for (const char* path :
       {"/page.html", "/sub/page.html", "//sub///page.html", "/.well-known/acme-challenge/token"}) {
    EXPECT_EQ(kind_of(path), Kind::file) << path;
  }
  for (const char* path : {"/", "", "/sub", "/sub/", "/.well-known/acme-challenge"})
    EXPECT_EQ(kind_of(path), Kind::folder) << path;
  for (const char* path : {"/none", "/none/", "/page.html/", "/page.html/x", "/sub/none"})
    EXPECT_EQ(kind_of(path), Kind::nothing) << path;
  EXPECT_EQ(FileTree((folder_ / "www").string()).look("/page.html").file->size(), 3U);
}

TEST_F(AFileTree, IsNotThere) {
  EXPECT_EQ(kind_of("/page.html", "nowhere"), Kind::nothing);
  EXPECT_EQ(kind_of("/", "www/page.html"), Kind::nothing);
}

TEST_F(AFileTree, HasNothingOfTheRestOfTheMachineNorHiddenNames) {
  using namespace std::string_view_literals;
  for (const std::string_view path : {"/.env"sv,
                                      "/.git/config"sv,
                                      "/..data/token"sv,
                                      "/absolute.txt"sv,
                                      "/out.txt"sv,
                                      "/beside"sv,
                                      "/beside/"sv,
                                      "/beside/secret.txt"sv,
                                      "/magic"sv,
                                      "/loop"sv,
                                      "/loop/"sv,
                                      "/.."sv,
                                      "/../beside/secret.txt"sv,
                                      "../beside/secret.txt"sv,
                                      "/."sv,
                                      "/sub/../../beside/secret.txt"sv,
                                      "/sub/../page.html"sv,
                                      "/page.html\0.txt"sv,
                                      "/sub\0/page.html"sv,
                                      "/pipe"sv}) {
    EXPECT_EQ(kind_of(path), Kind::nothing) << path;
  }
}

TEST_F(AFileTree, FollowsLinksThatStayBelowIt) {
  EXPECT_EQ(kind_of("/token"), Kind::file);
  EXPECT_EQ(kind_of("/sub/up.html"), Kind::file);
  EXPECT_EQ(kind_of("/page.html", "current"), Kind::file);
  EXPECT_EQ(kind_of("/out.txt", "current"), Kind::nothing);
}

// For this process: openat2(2) fails with that error, as on an old kernel or in an old container.
bool forget_openat2(uint32_t error) {
  std::array<sock_filter, 4> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{code.size(), code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(AFileTree, FollowsNoLinkWhereTheKernelCannotSeeToIt) {
  const auto found = [&](uint32_t error) {
    const bool forgotten = forget_openat2(error);
    const bool files = kind_of("/sub/page.html") == Kind::file && kind_of("/") == Kind::folder &&
                       kind_of("/sub/") == Kind::folder && kind_of("/sub") == Kind::folder;
    const bool links = kind_of("/token") != Kind::nothing || kind_of("/out.txt") != Kind::nothing ||
                       kind_of("/beside/secret.txt") != Kind::nothing ||
                       kind_of("/page.html/") != Kind::nothing;
    return forgotten && files && !links ? 0 : 1;
  };
  EXPECT_EXIT(::_exit(found(ENOSYS)), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(::_exit(found(EPERM)), testing::ExitedWithCode(0), "");
}

TEST_F(AFileTree, SaysWhatMayNotBeRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  ::chmod((folder_ / "www/page.html").c_str(), 0);
  EXPECT_EQ(kind_of("/page.html"), Kind::forbidden);
}

TEST_F(AFileTree, FindsNoNameThatIsTooLong) {
  EXPECT_EQ(kind_of("/" + std::string(300, 'a')), Kind::nothing);
  EXPECT_EQ(kind_of("/sub/" + std::string(5000, 'a') + "/x"), Kind::nothing);
}

}  // namespace
}  // namespace usher::proxy
