#include "proxy/static_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>

namespace usher::proxy {
namespace {

namespace fs = std::filesystem;

class AStaticFile : public testing::Test {
 protected:
  AStaticFile() : path_(fs::temp_directory_path() / "usher-file-XXXXXX") {
    std::string made = path_.string();
    ::close(::mkstemp(made.data()));
    path_ = made;
    write("0123456789");
  }
  ~AStaticFile() override { fs::remove(path_); }

  void write(std::string_view text) const { std::ofstream(path_) << text; }
  StaticFile open() const {
    Fd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat facts {};
    EXPECT_EQ(::fstat(fd.get(), &facts), 0);
    return {std::move(fd), facts};
  }
  static std::optional<std::string> read(StaticFile& file, size_t piece) {
    std::string text;
    std::string into(piece, ' ');
    while (true) {
      const auto got = file.read(into);
      if (!got || got->empty()) return got ? std::optional(text) : std::nullopt;
      text.append(got->data(), got->size());
    }
  }

  fs::path path_;
};

TEST_F(AStaticFile, IsReadInPieces) {
  for (const size_t piece : {1U, 4U, 64U}) {
    StaticFile file = open();
    EXPECT_EQ(read(file, piece), "0123456789");
  }
}

TEST_F(AStaticFile, IsReadInPart) {
  for (const size_t piece : {1U, 4U, 64U}) {
    StaticFile file = open();
    file.narrow(3, 5);
    EXPECT_EQ(read(file, piece), "34567");
    EXPECT_EQ(file.size(), 10U);
  }
}

TEST_F(AStaticFile, SaysWhatItIs) {
  const std::array<timespec, 2> times{timespec{784111777, 0}, timespec{784111777, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), times.data(), 0), 0);
  const StaticFile file = open();
  EXPECT_EQ(file.size(), 10U);
  EXPECT_EQ(file.modified(), 784111777);
  EXPECT_EQ(file.etag(), "\"2ebc98a1-a\"");
}

TEST_F(AStaticFile, ThatBecomesShorterIsAnError) {
  StaticFile file = open();
  fs::resize_file(path_, 1);
  std::array<char, 16> into{};
  EXPECT_TRUE(file.read(into));
  EXPECT_FALSE(file.read(into));
}

TEST_F(AStaticFile, ThatGrowsIsReadAsLongAsItWas) {
  StaticFile file = open();
  write("0123456789 and more");
  EXPECT_EQ(read(file, 64), "0123456789");
}

}  // namespace
}  // namespace usher::proxy
