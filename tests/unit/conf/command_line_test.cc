#include "conf/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher::conf {
namespace {

using ::testing::HasSubstr;

std::variant<CommandLine, Exit> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "usher");
  return parse_command_line(arguments);
}

CommandLine good(const std::vector<const char*>& arguments) {
  const auto parsed = parse(arguments);
  const auto* exit = std::get_if<Exit>(&parsed);
  EXPECT_FALSE(exit) << exit->text;
  return exit ? CommandLine{} : std::get<CommandLine>(parsed);
}

Exit leaves(const std::vector<const char*>& arguments) {
  const auto parsed = parse(arguments);
  const auto* exit = std::get_if<Exit>(&parsed);
  EXPECT_TRUE(exit);
  return exit ? *exit : Exit{};
}

TEST(CommandLine, RunsByDefault) {
  EXPECT_EQ(good({}).command, Command::run);
  EXPECT_EQ(good({"run"}).command, Command::run);
  EXPECT_EQ(good({}).overrides.listen, std::nullopt);
}

TEST(CommandLine, TakesTheFileBeforeAndAfterTheCommand) {
  EXPECT_EQ(good({"-c", "a.toml"}).config, "a.toml");
  EXPECT_EQ(good({"run", "-c", "a.toml"}).config, "a.toml");
  EXPECT_EQ(good({"-c", "a.toml", "check"}).config, "a.toml");
  EXPECT_EQ(good({"check", "-c", "a.toml"}).config, "a.toml");
  EXPECT_EQ(good({"check", "--config=a.toml"}).command, Command::check);
}

TEST(CommandLine, TakesEveryOverride) {
  for (const auto& row : all_overrides()) {
    if (row.flag.empty()) continue;
    const std::string flag(row.flag);
    for (const std::vector<const char*>& arguments : {std::vector<const char*>{flag.c_str(), "x"},
                                                      {"run", flag.c_str(), "x"},
                                                      {"check", flag.c_str(), "x"}}) {
      EXPECT_EQ(good(arguments).overrides.*row.given, "x") << flag;
    }
  }
}

TEST(CommandLine, KeepsAnEmptyAdminApart) { EXPECT_EQ(good({"--admin", ""}).overrides.admin, ""); }

TEST(CommandLine, KnowsTheAdminCommands) {
  const auto status = good({"status", "--admin", "http://127.0.0.1:1", "--json"});
  EXPECT_EQ(status.command, Command::status);
  EXPECT_EQ(status.admin_url, "http://127.0.0.1:1");
  EXPECT_TRUE(status.json);
  EXPECT_FALSE(status.overrides.admin);
  const auto drain = good({"drain", "10.0.0.1:8080", "-c", "a.toml"});
  EXPECT_EQ(drain.command, Command::drain);
  EXPECT_EQ(drain.replica, "10.0.0.1:8080");
  EXPECT_EQ(drain.config, "a.toml");
  EXPECT_EQ(good({"undrain", "--admin", "u", "r:1"}).replica, "r:1");
  EXPECT_EQ(good({"undrain", "r:1"}).command, Command::undrain);
  EXPECT_EQ(good({"reload"}).command, Command::reload);
  EXPECT_EQ(good({"rotate-secret"}).command, Command::rotate_secret);
  const auto token = good({"acme-token", "t", "t.k", "--admin", "u"});
  EXPECT_EQ(token.command, Command::acme_token);
  EXPECT_EQ(token.token, "t");
  EXPECT_EQ(token.key_authorization, "t.k");
  EXPECT_FALSE(token.remove);
  EXPECT_TRUE(good({"acme-token", "t", "--remove"}).remove);
}

TEST(CommandLine, KnowsTheVersionBothWays) {
  EXPECT_EQ(good({"version"}).command, Command::version);
  EXPECT_EQ(good({"--version"}).command, Command::version);
}

TEST(CommandLine, HelpsOnStandardOutput) {
  const auto help = leaves({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.text, HasSubstr("import-nginx"));
  EXPECT_THAT(help.text, HasSubstr("USHER_LISTEN"));
  EXPECT_TRUE(help.text.ends_with('\n'));
  EXPECT_EQ(leaves({"status", "--help"}).code, 0);
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  for (const std::vector<const char*>& arguments : {std::vector<const char*>{"--lisen", "x"},
                                                    {"serve"},
                                                    {"drain"},
                                                    {"-c"},
                                                    {"status", "--listen", "x"},
                                                    {"--listen", "x", "status"},
                                                    {"acme-token"},
                                                    {"acme-token", "t"},
                                                    {"acme-token", "t", "t.k", "--remove"},
                                                    {"run", "check"}}) {
    const auto exit = leaves(arguments);
    EXPECT_EQ(exit.code, 2) << arguments.front();
    EXPECT_FALSE(exit.text.empty());
  }
}

TEST(CommandLine, SuggestsTheFlagOrTheCommandThatWasMeant) {
  EXPECT_EQ(
      leaves({"--lisen", ":80"}).text,
      "usher: unknown argument \"--lisen\"; did you mean \"--listen\"?\nusher --help says more\n");
  EXPECT_THAT(leaves({"stauts"}).text, HasSubstr("did you mean \"status\"?"));
  EXPECT_THAT(leaves({"run", "--uptream", "a:1"}).text, HasSubstr("did you mean \"--upstream\"?"));
}

TEST(CommandLine, ImportsOneFileOfNginx) {
  const auto line = good({"import-nginx", "nginx.conf", "-o", "usher.toml", "--lenient"});
  EXPECT_EQ(line.command, Command::import_nginx);
  EXPECT_EQ(line.nginx_file, "nginx.conf");
  EXPECT_EQ(line.output, "usher.toml");
  EXPECT_TRUE(line.lenient);
  EXPECT_EQ(leaves({"import-nginx"}).code, 2);
}

}  // namespace
}  // namespace usher::conf
