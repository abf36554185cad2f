#include "conf/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/toml_reader.h"

namespace usher::conf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Settings read(const std::string& text) {
  auto read = read_toml("usher.toml", text);
  EXPECT_TRUE(read) << read.error().detail;
  return read ? std::move(read->settings) : Settings{};
}

// A settings file for each top-level key that says something other than the default.
constexpr std::pair<std::string_view, std::string_view> one_for_each_key[] = {
    {"workers", "workers = 3"},
    {"user", "user = \"usher\""},
    {"state", "state = \"/srv\""},
    {"listen", "listen = [{address = \":1\"}]"},
    {"tls", "tls.min_version = \"1.3\""},
    {"store", "store.url = \"redis://a\""},
    {"affinity", "affinity.idle = \"1h\""},
    {"upstream", "upstream = [{name = \"a\", replicas = [\"a:1\"]}]"},
    {"rate_zone", "rate_zone = [{name = \"a\", rate = \"1r/s\"}]"},
    {"connection_zone", "connection_zone = [{name = \"a\"}]"},
    {"route", "route = [{path = \"/a\", status = 404}]"},
    {"types", "types = [{name = \"a\", entries = [\"text/html html\"]}]"},
    {"map", "map = [{name = \"a\", source = \"$host\"}]"},
    {"forwarded", "forwarded.trusted = [\"10.0.0.0/8\"]"},
    {"limits", "limits.head = \"32KiB\""},
    {"http2", "http2.max_resets = 7"},
    {"timeouts", "timeouts.head = \"3s\""},
    {"admin", "admin.address = \"\""},
    {"log", "log.level = \"debug\""},
};

TEST(Keys, ADifferenceIsNoticedUnderEveryTopLevelKey) {
  const Settings built_in = read("");
  EXPECT_EQ(differences(built_in, read("")), "");
  std::vector<std::string_view> covered;
  for (const auto& [name, text] : one_for_each_key) {
    const std::string changed = differences(built_in, read(std::string(text)));
    EXPECT_TRUE((", " + changed + ",").find(", " + std::string(name) + ",") != std::string::npos)
        << text << " changed only: " << changed;
    covered.push_back(name);
  }
  for (const Key& key : table_of<Settings>().keys)
    EXPECT_THAT(covered, testing::Contains(key.name)) << "a key without an example in this test";
}

// A key that stands below the head of a table belongs to that table.
TEST(Keys, NoValueComesAfterATable) {
  const auto look = [](const auto& self, const Table& table) -> void {
    std::string_view last;
    for (const Key& key : table.keys) {
      const bool is_table =
          key.kind.shape == Kind::Shape::table || key.kind.shape == Kind::Shape::tables;
      EXPECT_TRUE(is_table || last.empty()) << key.name << " after " << last;
      if (!is_table) continue;
      last = key.name;
      self(self, key.kind.table());
    }
  };
  look(look, table_of<Settings>());
}

TEST(Keys, KeepWhatOnlyARestartChanges) {
  const Settings now = read("");
  Settings next = read(
      "workers = 3\nlimits.head = \"32KiB\"\n[store]\nurl = \"redis://a\"\n"
      "[tls]\nticket_rotate = \"1h\"\nmin_version = \"1.3\"\n");
  EXPECT_THAT(keep_until_restart(now, next), ElementsAre("workers", "tls.ticket_rotate", "store"));
  EXPECT_EQ(next.workers, now.workers);
  EXPECT_EQ(next.store.url, now.store.url);
  EXPECT_EQ(next.tls.ticket_rotate, now.tls.ticket_rotate);
  EXPECT_EQ(next.tls.min_version, "1.3");
  EXPECT_EQ(next.limits.head.bytes, 32u * 1024);
  EXPECT_THAT(keep_until_restart(now, next), IsEmpty());
}

TEST(Keys, HaveTheRuleOfTheirField) {
  EXPECT_EQ(rule_of(&Settings::workers).max, 1024u);
  EXPECT_TRUE(rule_of(&UpstreamSettings::replicas).required);
  // The first field of a table has the table's own address.
  EXPECT_FALSE(rule_of(&HealthSettings::path).check == nullptr);
}

}  // namespace
}  // namespace usher::conf
