#include "conf/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "conf/describe.h"

namespace usher::conf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A process with its own environment and its own files.
struct Process {
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> files;
  CommandLine line;

  Result<Loaded> start() const {
    const auto variable = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment.find(name);
      return found == environment.end() ? std::nullopt : std::optional(found->second);
    };
    const auto file = [this](const std::string& path) -> Result<std::string> {
      const auto found = files.find(path);
      if (found != files.end()) return found->second;
      return Error{Errc::not_found, Side::usher, "cannot be read: No such file or directory"};
    };
    return load(line, variable, file);
  }
  Loaded good() const {
    auto loaded = start();
    EXPECT_TRUE(loaded) << loaded.error().detail;
    return loaded ? *std::move(loaded) : Loaded{};
  }
  std::string bad() const {
    const auto loaded = start();
    EXPECT_FALSE(loaded);
    return loaded ? "" : loaded.error().detail;
  }
};

TEST(Load, StartsWithNothingAtAll) {
  const auto loaded = Process{}.good();
  EXPECT_EQ(loaded.settings, built_in_settings());
  EXPECT_EQ(loaded.source, "built-in defaults");
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST(Load, SearchesForTheFileInItsOrder) {
  Process process;
  process.files["/etc/usher/usher.toml"] = "workers = 1";
  EXPECT_EQ(process.good().settings.workers, 1U);
  process.files["usher.toml"] = "workers = 2";
  EXPECT_EQ(process.good().settings.workers, 2U);
  EXPECT_EQ(process.good().source, "usher.toml");
  process.files["env.toml"] = "workers = 3";
  process.environment["USHER_CONFIG"] = "env.toml";
  EXPECT_EQ(process.good().settings.workers, 3U);
  process.files["flag.toml"] = "workers = 4";
  process.line.config = "flag.toml";
  EXPECT_EQ(process.good().settings.workers, 4U);
}

TEST(Load, WantsTheFileThatWasAskedFor) {
  Process process;
  process.files["usher.toml"] = "workers = 2";
  process.environment["USHER_CONFIG"] = "env.toml";
  EXPECT_EQ(process.bad(), "USHER_CONFIG: env.toml: cannot be read: No such file or directory");
  process.line.config = "flag.toml";
  EXPECT_EQ(process.bad(), "flag.toml: cannot be read: No such file or directory");
}

TEST(Load, ReadsNginxConfLastAndAsNginxDoes) {
  Process process;
  process.files["/etc/nginx/nginx.conf"] =
      "events {}\nhttp {\n  server {\n    listen 8081;\n    mirror /x;\n"
      "    location / { proxy_pass http://127.0.0.1:8080; }\n  }\n}";
  EXPECT_EQ(process.bad(),
            "/etc/nginx/nginx.conf:5:5: \"mirror\" is not served: a request goes to one replica");
  process.environment["USHER_LENIENT"] = "1";
  EXPECT_EQ(process.good().source, "/etc/nginx/nginx.conf");
  EXPECT_EQ(process.good().settings.listen.front().address.port, 8081);
  EXPECT_THAT(process.good().warnings, Contains(HasSubstr("\"mirror\" is not served")));
  process.environment.clear();
  process.line.lenient = true;
  EXPECT_EQ(process.good().settings.listen.size(), 1U);
  // A usher.toml comes before it, and what -c names before that.
  process.files["/etc/usher/usher.toml"] = "workers = 3";
  EXPECT_EQ(process.good().settings.workers, 3U);
  process.line.config = "/etc/nginx/nginx.conf";
  EXPECT_EQ(process.good().source, "/etc/nginx/nginx.conf");
}

TEST(Load, LeavesTheNginxConfOfADistributionAlone) {
  Process process;
  process.files["/etc/nginx/nginx.conf"] =
      "http { server { listen 80; root /var/www; location / { try_files $uri =404; } } }";
  EXPECT_EQ(process.good().source, "built-in defaults");
}

// Each override by itself: the flag beats the environment, which beats the file.
TEST(Load, TakesTheFlagOverTheEnvironmentOverTheFile) {
  struct Case {
    const char* variable;
    std::optional<std::string> Overrides::*flag;
    const char* file;
    const char* by_file;
    const char* environment;
    const char* by_environment;
    const char* given;
    const char* by_flag;
    std::string (*shown)(const Settings&);
  };
  const Case cases[] = {
      {"USHER_LISTEN", &Overrides::listen, "listen = [{address = \":1\"}]", ":1", "127.0.0.1:2",
       "127.0.0.1:2", "http://[::1]:3", "[::1]:3",
       [](const Settings& s) { return to_string(s.listen.at(0).address); }},
      {"USHER_UPSTREAM", &Overrides::upstream, "upstream = [{name = \"a\", replicas = [\"a:1\"]}]",
       "a:1", "b:2", "b:2", "c:3", "c:3",
       [](const Settings& s) { return to_string(s.upstreams.at(0).replicas.at(0)); }},
      {"USHER_STORE", &Overrides::store, "store.url = \"redis://a\"", "redis://a:6379/0",
       "redis://b", "redis://b:6379/0",
       "memory:", "memory:", [](const Settings& s) { return to_string(s.store.url); }},
      {"USHER_WORKERS", &Overrides::workers, "workers = 1", "1", "2", "2", "3", "3",
       [](const Settings& s) { return std::to_string(s.workers); }},
      {"USHER_ADMIN", &Overrides::admin, "admin.address = \"127.0.0.1:1\"", "127.0.0.1:1",
       "http://127.0.0.1:2", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:3",
       [](const Settings& s) { return to_string(s.admin.address); }},
      {"USHER_STATE", &Overrides::state, "state = \"/a\"", "/a", "/b", "/b", "/c", "/c",
       [](const Settings& s) { return s.state; }},
  };
  for (const auto& one : cases) {
    Process process;
    process.files["usher.toml"] = one.file;
    EXPECT_EQ(one.shown(process.good().settings), one.by_file) << one.variable;
    process.environment[one.variable] = "";  // compose passes what is not in .env like this
    EXPECT_EQ(one.shown(process.good().settings), one.by_file) << one.variable;
    process.environment[one.variable] = one.environment;
    EXPECT_EQ(one.shown(process.good().settings), one.by_environment) << one.variable;
    process.line.overrides.*one.flag = one.given;
    EXPECT_EQ(one.shown(process.good().settings), one.by_flag) << one.variable;
  }
}

TEST(Load, OverridesTheDefaultsWithoutAFile) {
  Process process;
  process.line.overrides.listen =
      "127.0.0.1:8088, https://127.0.0.1:8443,HTTPS://[::1]:1,unix:/run/u.sock";
  process.environment["USHER_UPSTREAM"] = "a:1,b:2 weight=3";
  const auto loaded = process.good();
  ASSERT_EQ(loaded.settings.listen.size(), 4U);
  EXPECT_FALSE(loaded.settings.listen[0].tls);
  EXPECT_TRUE(loaded.settings.listen[1].tls);
  EXPECT_TRUE(loaded.settings.listen[2].tls);
  EXPECT_EQ(to_string(loaded.settings.listen[3].address), "unix:/run/u.sock");
  EXPECT_THAT(loaded.settings.upstreams.at(0).replicas,
              ElementsAre(ReplicaSettings{{"a", 1, {}}, 1}, ReplicaSettings{{"b", 2, {}}, 3}));
}

TEST(Load, ReplacesOnlyTheFirstUpstreamsReplicas) {
  Process process;
  process.files["usher.toml"] = R"(
    upstream = [{name = "a", replicas = ["a:1"], balance = "round_robin"}, {name = "b", replicas = ["b:1"]}])";
  process.line.overrides.upstream = "c:1";
  const auto loaded = process.good();
  EXPECT_EQ(to_string(loaded.settings.upstreams.at(0).replicas.at(0)), "c:1");
  EXPECT_EQ(loaded.settings.upstreams.at(0).balance, Balance::round_robin);
  EXPECT_EQ(to_string(loaded.settings.upstreams.at(1).replicas.at(0)), "b:1");
}

TEST(Load, TakesTheCertificateAsAPairFromAnywhere) {
  Process process;
  process.files["usher.toml"] =
      "tls.certificate = [{chain = \"a\", key = \"b\"}, {chain = \"c\", key = \"d\"}]";
  process.environment["USHER_TLS_CHAIN"] = "e";
  EXPECT_EQ(process.bad(), "USHER_TLS_CHAIN: expected --tls-key or USHER_TLS_KEY as well");
  process.line.overrides.tls_key = "f";
  EXPECT_THAT(process.good().settings.tls.certificates, ElementsAre(CertificateSettings{"e", "f"}));
  process.environment.clear();
  EXPECT_EQ(process.bad(), "--tls-key: expected --tls-chain or USHER_TLS_CHAIN as well");
}

TEST(Load, SwitchesTheAdminApiOff) {
  Process process;
  process.environment["USHER_ADMIN"] = "off";
  EXPECT_FALSE(process.good().settings.admin.enabled);
  process.environment.clear();
  process.line.overrides.admin = "";
  EXPECT_FALSE(process.good().settings.admin.enabled);
  process.files["usher.toml"] = "admin.address = \"\"";
  process.line.overrides.admin = "127.0.0.1:0";
  EXPECT_TRUE(process.good().settings.admin.enabled);
}

TEST(Load, NamesTheFlagOrTheVariableThatIsWrongAndTheFilesErrorsToo) {
  Process process;
  process.files["usher.toml"] = "wokers = 1";
  process.line.overrides.workers = "many";
  process.line.overrides.listen = "127.0.0.1:1,8443";
  process.environment["USHER_STORE"] = "redis://u:secret@";
  process.environment["USHER_UPSTREAM"] = " , ";
  EXPECT_EQ(process.bad(),
            "usher.toml:1:1: unknown key \"wokers\" at the top level; did you mean \"workers\"?\n"
            "--listen: expected \"host:port\", \":port\", \"[IPv6]:port\" or \"unix:/path\", got "
            "\"8443\"; write "
            "\":8443\"\n"
            "USHER_UPSTREAM: expected replicas such as \"open-webui:8080\", got nothing\n"
            "USHER_STORE: expected \"memory:\", "
            "\"redis://[[user]:password@]host[:port][/database]\", "
            "\"redis+sentinel://host[:port],…/service[/database]\" or "
            "\"redis+cluster://host[:port],…\", got "
            "\"redis://***@\"\n"
            "--workers: expected a whole number from 0 to 1024, got \"many\"");
}

TEST(Load, ChecksWhatTheOverridesMakeOfTheFile) {
  Process process;
  process.line.overrides.listen = ":80,:80";
  EXPECT_EQ(process.bad(), "flags and environment: two listeners on \":80\"");
  process.line.overrides.listen = "127.0.0.1:9180";
  EXPECT_EQ(process.bad(),
            "flags and environment: a listener and the admin API are both on \"127.0.0.1:9180\"");
}

TEST(Load, ReadsRealFilesAndVariables) {
  const auto missing = read_file(std::string(USHER_TEST_DIR) + "/nothing.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  const auto folder = read_file(USHER_TEST_DIR);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().detail, "cannot be read: Is a directory");
  EXPECT_TRUE(process_environment("PATH"));
  EXPECT_FALSE(process_environment("USHER_SURELY_NOT_SET"));
}

TEST(Describe, SaysWhatWouldBeServedWithoutSecrets) {
  Process process;
  process.files["usher.toml"] = R"([[listen]]
address = ":80"
redirect_to_https = true
[[listen]]
address = ":443"
tls = true
protocols = ["h2", "http/1.1"]
[store]
url = "redis://usher:hunter2@redis:6379/1"
[affinity]
secret = "hunter2hunter2hunter2"
[[upstream]]
name = "open-webui"
replicas = ["open-webui:8080", "10.0.0.7:8080"]
[[route]]
upstream = "open-webui"
max_body = "1GiB"
timeouts = { first_byte = "5m", tunnel_idle = "30s" }
[[route]]
host = "old.example.org"
redirect = "https://example.org/"
[[route]]
path = "/metrics"
status = 404)";
  EXPECT_EQ(describe(process.good()), R"(usher.toml: good
  listen      http://:80  redirects to https
              https://:443
  certificate self-signed
  admin       http://127.0.0.1:9180
  store       redis://usher:***@redis:6379/1
  workers     one per CPU
  upstream    open-webui: least_connections, health /ready every 2s
                open-webui:8080
                10.0.0.7:8080
  route       * / -> open-webui, bodies up to 1GiB, first_byte 5m, tunnel_idle 30s
              old.example.org / -> redirect to https://example.org/
              * /metrics -> status 404
)");
}

}  // namespace
}  // namespace usher::conf
