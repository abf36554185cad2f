#include "conf/reference/reference.h"

#include <gtest/gtest.h>

#include "conf/load.h"
#include "conf/toml_reader.h"

namespace usher::conf {
namespace {

constexpr const char* how =
    "conf/keys.cc changed: run  ninja -C build/dev conf_reference && build/dev/conf/conf_reference "
    ".";

std::string file(const std::string& path) {
  const auto text = read_file(path);
  return text ? *text : text.error().detail;
}

TEST(Reference, UsherTomlInTheRepositoryIsCurrent) {
  EXPECT_EQ(file("usher.toml"), reference_toml()) << how;
}

TEST(Reference, SettingsPageInTheRepositoryIsCurrent) {
  EXPECT_EQ(file("docs/settings.md"), reference_markdown()) << how;
}

TEST(Reference, ReadBackGivesTheBuiltInSettings) {
  const auto read = read_toml("usher.toml", reference_toml());
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->settings, built_in_settings());
  EXPECT_TRUE(read->warnings.empty());
}

TEST(Reference, NothingAtAllGivesTheBuiltInSettings) {
  const auto read = read_toml("empty.toml", "");
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->settings, built_in_settings());
}

}  // namespace
}  // namespace usher::conf
