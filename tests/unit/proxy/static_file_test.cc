#include "proxy/static_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>

namespace usher::proxy {
namespace {

namespace fs = std::filesystem;

class AStaticFile : public testing::Test {
 protected:
  AStaticFile() {
    std::string made = (fs::temp_directory_path() / "usher-files-XXXXXX").string();
    folder_ = ::mkdtemp(made.data());
    write("www/page.html", "<p>");
    write("www/index.html", "index");
    write("www/sub/index.html", "sub index");
    write("www/.env", "secret");
    write("www/.git/config", "secret");
    write("www/.well-known/acme-challenge/token", "token.key");
    write("www/empty", "");
    write("beside/secret.txt", "secret");
    fs::create_symlink(folder_ / "beside/secret.txt", folder_ / "www/link.txt");
    fs::create_directory_symlink(folder_ / "beside", folder_ / "www/folder");
    fs::create_symlink("page.html", folder_ / "www/inside.html");
    ::mkfifo((folder_ / "www/pipe").c_str(), 0600);
  }
  ~AStaticFile() override { fs::remove_all(folder_); }

  void write(const fs::path& name, std::string_view text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  std::optional<StaticFile> open(std::string_view path) const {
    return StaticFile::open((folder_ / "www").string(), path);
  }
  // Empty of what is not found.
  std::optional<std::string> read(std::string_view path, size_t piece = 4) const {
    auto file = open(path);
    if (!file) return std::nullopt;
    std::string text;
    std::string into(piece, ' ');
    while (true) {
      const auto got = file->read(into);
      if (!got || got->empty()) return got ? std::optional(text) : std::nullopt;
      text.append(got->data(), got->size());
    }
  }

  fs::path folder_;
};

TEST_F(AStaticFile, IsFoundByItsPathAndReadInPieces) {
  EXPECT_EQ(read("/page.html"), "<p>");
  EXPECT_EQ(read("/"), "index");
  EXPECT_EQ(read("/sub/"), "sub index");
  EXPECT_EQ(read("/sub/index.html", 1), "sub index");
  EXPECT_EQ(read("/.well-known/acme-challenge/token"), "token.key");
  EXPECT_EQ(read("/empty"), "");
}

TEST_F(AStaticFile, IsNeverOutsideOfItsRootNorHidden) {
  using namespace std::string_view_literals;
  for (const std::string_view path :
       {"/none"sv, "/sub"sv, "/.env"sv, "/.git/config"sv, "/link.txt"sv, "/folder/secret.txt"sv,
        "/folder/"sv, "/inside.html"sv, "/../beside/secret.txt"sv, "/sub/../../beside/secret.txt"sv,
        "/page.html\0.txt"sv, "/sub\0/index.html"sv, "/page.html/"sv, "/pipe"sv, "/.well-known/"sv,
        "/.well-known/acme-challenge"sv, "/."sv, "/.."sv}) {
    EXPECT_EQ(read(path), std::nullopt) << path;
  }
  EXPECT_FALSE(StaticFile::open((folder_ / "nowhere").string(), "/page.html"));
  EXPECT_FALSE(StaticFile::open((folder_ / "www/page.html").string(), "/"));
}

TEST_F(AStaticFile, SaysWhatItIs) {
  const std::array<timespec, 2> times{timespec{784111777, 0}, timespec{784111777, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder_ / "www/page.html").c_str(), times.data(), 0), 0);
  const auto file = open("/page.html");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->type(), "text/html");
  EXPECT_EQ(file->size(), 3U);
  EXPECT_EQ(file->modified(), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110 section 5.6.7
  EXPECT_EQ(file->etag(), "\"2ebc98a1-3\"");
  EXPECT_EQ(open("/.well-known/acme-challenge/token")->type(), "");
}

TEST_F(AStaticFile, ThatBecomesShorterIsAnError) {
  auto file = open("/page.html");
  ASSERT_TRUE(file);
  fs::resize_file(folder_ / "www/page.html", 1);
  std::array<char, 8> into{};
  EXPECT_TRUE(file->read(into));
  EXPECT_FALSE(file->read(into));
}

TEST_F(AStaticFile, ThatGrowsIsReadAsLongAsItWas) {
  auto file = open("/page.html");
  ASSERT_TRUE(file);
  write("www/page.html", "<p>and more");
  std::array<char, 8> into{};
  EXPECT_EQ(file->read(into)->size(), 3U);
  EXPECT_TRUE(file->read(into)->empty());
}

}  // namespace
}  // namespace usher::proxy
