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
  bool in_container = false;

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
    Files read_from;
    read_from.read = file;
    read_from.mark = [this](const std::string& path) {
      return FileMark{{}, path == "/.dockerenv" && in_container ? 0 : ENOENT};
    };
    std::vector<std::string> variables;
    for (const auto& [name, text] : environment)
      variables.push_back(name);
    return load(line, variable, read_from, variables);
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
       [](const Settings& s) { return to_string(*s.admin.address); }},
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
  EXPECT_FALSE(process.good().settings.admin.address);
  process.environment.clear();
  process.line.overrides.admin = "";
  EXPECT_FALSE(process.good().settings.admin.address);
  process.files["usher.toml"] = "admin.address = \"\"";
  process.line.overrides.admin = "127.0.0.1:0";
  EXPECT_TRUE(process.good().settings.admin.address);
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

TEST(Load, KnowsWhereEachFileThatIsReadWasNamed) {
  Process process;
  process.files["usher.toml"] = R"([[tls.certificate]]
chain = "/certs/a.pem"
key = "/certs/a.key"
[[listen]]
address = ":443"
tls = true
[[upstream]]
name = "x"
replicas = ["https://x:1"]
ca = "/certs/ca.pem"
)";
  auto loaded = process.good();
  EXPECT_EQ(loaded.files.called("/certs/a.key"),
            "usher.toml:3:7: tls.certificate.key: /certs/a.key");
  EXPECT_EQ(loaded.files.called("/certs/ca.pem"), "usher.toml:10:6: upstream.ca: /certs/ca.pem");
  EXPECT_EQ(loaded.files.called("/elsewhere"), "/elsewhere");
  process.environment = {{"USHER_TLS_CHAIN", "/certs/b.pem"}, {"USHER_TLS_KEY", "/certs/a.key"}};
  loaded = process.good();
  EXPECT_EQ(loaded.files.called("/certs/b.pem"), "USHER_TLS_CHAIN: /certs/b.pem");
  EXPECT_EQ(loaded.files.called("/certs/a.key"), "USHER_TLS_KEY: /certs/a.key");
  process.line.overrides.tls_key = "/certs/c.key";
  EXPECT_EQ(process.good().files.called("/certs/c.key"), "--tls-key: /certs/c.key");
}

TEST(Load, ReadsSecretsFromFiles) {
  Process process;
  process.files["usher.toml"] =
      "[store]\nurl_file = \"/run/url\"\n[affinity]\nsecret_file = \"/run/secret\"\n";
  process.files["/run/url"] = " redis://:hunter2@redis:6379/2\n";
  process.files["/run/secret"] = "0123456789abcdef\n";
  EXPECT_EQ(process.good().settings.store.url.password, "hunter2");
  EXPECT_EQ(process.good().settings.affinity.secret, "0123456789abcdef");
  // The environment beats the file, in each of the two ways.
  process.environment["USHER_STORE"] = "memory:";
  EXPECT_EQ(process.good().settings.store.url.kind, StoreKind::memory);
  process.environment = {{"USHER_STORE_FILE", "/run/other"}};
  EXPECT_EQ(process.bad(),
            "USHER_STORE_FILE: /run/other: cannot be read: No such file or directory");
  process.files["/run/other"] = "\n";
  EXPECT_EQ(process.bad(), "USHER_STORE_FILE: /run/other: is empty");
  process.files["/run/other"] = "http://redis";
  EXPECT_THAT(process.bad(), HasSubstr("USHER_STORE_FILE: /run/other: expected \"memory:\""));
  EXPECT_THAT(process.bad(), Not(HasSubstr("hunter2")));
}

TEST(Load, RefusesTheSameSecretFromTwoPlaces) {
  Process process;
  process.files["/f"] = "redis://x";
  process.files["usher.toml"] = "[store]\nurl = \"memory:\"\nurl_file = \"/f\"";
  EXPECT_EQ(process.bad(),
            "usher.toml:3:12: store.url and store.url_file both say where the store is");
}

TEST(Load, WarnsOfAPasswordOnTheCommandLine) {
  Process process;
  process.environment["USHER_STORE"] = "redis://:hunter2@redis";
  EXPECT_THAT(process.good().warnings, IsEmpty());
  process.line.overrides.store = "redis://:hunter2@redis";
  EXPECT_THAT(process.good().warnings, ElementsAre(HasSubstr("--store: the password in it")));
  EXPECT_THAT(process.good().warnings[0], Not(HasSubstr("hunter2")));
}

TEST(Load, WarnsOfVariablesThatMeanNothing) {
  Process process;
  process.environment = {{"USHER_UPSTREEM", "a:1"}, {"USHER_NGINX_ETC", "/x"}, {"USHERS", "1"}};
  EXPECT_THAT(process.good().warnings,
              ElementsAre("USHER_UPSTREEM: unknown variable, which has no effect; did you mean "
                          "\"USHER_UPSTREAM\"?"));
}

TEST(Load, WarnsWhereTheBuiltInUpstreamIsTheContainerItself) {
  Process process;
  process.in_container = true;
  EXPECT_THAT(process.good().warnings,
              ElementsAre(HasSubstr("127.0.0.1:8080 is this container itself")));
  process.environment["USHER_UPSTREAM"] = "open-webui:8080";
  EXPECT_THAT(process.good().warnings, IsEmpty());
}

TEST(Load, ReadsRealFilesAndVariables) {
  const auto missing = read_file("tests/unit/conf/nothing.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  const auto folder = read_file("tests/unit/conf");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().detail, "cannot be read: Is a directory");
  EXPECT_TRUE(process_environment("PATH"));
  EXPECT_FALSE(process_environment("USHER_SURELY_NOT_SET"));
}

TEST(Describe, SaysHowReplicasAreLookedAfter) {
  Process process;
  process.files["usher.toml"] =
      "upstream = [{name = \"a\", replicas = [\"h:1\"], health = {active = false}}]";
  EXPECT_THAT(describe(process.good()),
              HasSubstr("a: least_connections, health as requests find it\n"));
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

TEST(Load, WarnsOfAnAdminListenerThatOthersReachWithoutAToken) {
  const auto warnings = [](const std::string& address, const std::string& more = "") {
    Process process;
    process.files["usher.toml"] = "[admin]\naddress = \"" + address + "\"\n" + more;
    return process.good().warnings;
  };
  EXPECT_THAT(warnings(":9180"), ElementsAre(HasSubstr("usher.toml:2:11: the admin API listens on "
                                                       "all addresses without admin.token")));
  EXPECT_THAT(warnings("0.0.0.0:9180"), ElementsAre(HasSubstr("on all addresses")));
  EXPECT_THAT(warnings("10.0.0.5:9180"), ElementsAre(HasSubstr("on the network")));
  EXPECT_THAT(warnings(":9180", "token = \"0123456789abcdef\""), IsEmpty());
  EXPECT_THAT(warnings(":9180", "token = \"short\""), ElementsAre(HasSubstr("can be guessed")));
  for (const char* address : {"127.0.0.1:9180", "[::1]:9180", "localhost:1", "unix:/a.sock", ""})
    EXPECT_THAT(warnings(address), IsEmpty()) << address;
}

TEST(Load, WarnsOfWhatTheEnvironmentMakesDoubtful) {
  Process process;
  process.files["usher.toml"] =
      "[[upstream]]\nname = \"idle\"\nreplicas = [\"a:1\"]\n[[route]]\nstatus = 404\n";
  EXPECT_THAT(process.good().warnings, ElementsAre(HasSubstr("no route leads")));
  process.environment["USHER_ADMIN"] = ":9180";
  EXPECT_THAT(process.good().warnings, ElementsAre(HasSubstr("no route leads"),
                                                   HasSubstr("flags and environment: the admin")));
}

TEST(Load, WarnsWhenEverybodyIsTrusted) {
  Process process;
  process.files["usher.toml"] =
      "[forwarded]\ntrusted = [\"10.0.0.0/8\", \"0.0.0.0/0\", \"::/0\"]\n";
  EXPECT_THAT(process.good().warnings,
              ElementsAre(HasSubstr("usher.toml:2:26: forwarded.trusted has \"0.0.0.0/0\""),
                          HasSubstr("\"::/0\"")));
}

TEST(Load, ReadsTheAdminTokenOfAFile) {
  Process process;
  process.files["usher.toml"] = "[admin]\ntoken_file = \"/run/token\"\n";
  EXPECT_THAT(process.bad(), HasSubstr("admin.token_file: /run/token: cannot be read"));
  process.files["/run/token"] = "a-secret-of-the-file\n";
  EXPECT_EQ(process.good().settings.admin.token, "a-secret-of-the-file");
  process.environment["USHER_ADMIN_TOKEN"] = "another-of-the-environment";
  EXPECT_EQ(process.good().settings.admin.token, "another-of-the-environment");
  process.environment.clear();
  process.environment["USHER_ADMIN_TOKEN_FILE"] = "/run/other";
  process.files["/run/other"] = "two lines\nof it\n";
  EXPECT_EQ(process.bad(), "USHER_ADMIN_TOKEN_FILE: /run/other: expected a token in one line");
  process.files["/run/other"] = "\n";
  EXPECT_EQ(process.bad(), "USHER_ADMIN_TOKEN_FILE: /run/other: is empty");
}

}  // namespace
}  // namespace usher::conf
