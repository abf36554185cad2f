#include "conf/toml_writer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "conf/load.h"
#include "conf/nginx/reader.h"
#include "conf/toml_reader.h"

namespace usher::conf {
namespace {

void expect_same_again(const Settings& settings, const std::string& what) {
  const std::string text = to_toml(settings);
  const auto again = read_toml("made", text);
  ASSERT_TRUE(again) << what << "\n" << again.error().detail << "\n" << text;
  EXPECT_EQ(again->settings, settings) << what << "\n" << text;
}

TEST(TomlWriter, SaysOnlyWhatDiffers) {
  Settings settings = built_in_settings();
  settings.workers = 3;
  settings.admin.address.reset();
  settings.routes[0].add_headers = {{"X-A", *parse_template("1 \"$host\"")},
                                    {"X-B", *parse_template("2")},
                                    {"X-A", *parse_template("3")}};
  settings.routes[0].status = 200;
  settings.routes[0].upstream.clear();
  settings.routes[0].body = *parse_template("a\n\tb\\");
  const std::string text = to_toml(settings);
  EXPECT_NE(text.find(R"(add_headers = { "X-A" = ["1 \"$host\"", "3"], "X-B" = "2" })"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("[tls]"), std::string::npos);
  settings.routes[0].add_headers.pop_back();
  expect_same_again(settings, "by hand");
}

// What import-nginx writes does what the nginx.conf does: it gives the very same settings.
TEST(TomlWriter, WritesWhatEveryNginxFileSays) {
  const nginx::Files files{read_file,
                           [](const std::string&) { return std::vector<std::string>{}; }};
  size_t written = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::absolute("tests/nginx"))) {
    if (entry.path().extension() != ".conf") continue;
    const auto made =
        nginx::read(entry.path().string(), *read_file(entry.path().string()), false, files);
    ASSERT_TRUE(made) << made.error().detail;
    expect_same_again(made->settings, entry.path().string());
    ++written;
  }
  EXPECT_GE(written, 32U);
}

}  // namespace
}  // namespace usher::conf
