#include "conf/toml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher::conf {
namespace {

RouteSettings route_of(std::string host, std::string path, std::string upstream,
                       std::string_view redirect, uint16_t status, Size max_body,
                       RouteTimeouts timeouts) {
  RouteSettings route;
  route.host = std::move(host);
  route.path = std::move(path);
  route.upstream = std::move(upstream);
  route.redirect = *parse_template(redirect);
  route.status = status;
  route.max_body = max_body;
  route.timeouts = timeouts;
  return route;
}

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ReadSettings read(const std::string& text) {
  auto result = read_toml("usher.toml", text);
  EXPECT_TRUE(result) << result.error().detail;
  return result ? *std::move(result) : ReadSettings{};
}

std::string fails(const std::string& text) {
  const auto result = read_toml("usher.toml", text);
  EXPECT_FALSE(result) << text;
  return result ? "" : result.error().detail;
}

// Every key with a value that is not its default.
constexpr const char* everything = R"(
workers = 3
state = "/var/lib/usher"
[[listen]]
address = "127.0.0.1:80"
redirect_to_https = true
protocols = ["http/1.1"]
proxy_protocol = false
[[listen]]
address = "[::1]:443"
tls = true
[[listen]]
address = "unix:/run/usher.sock"
[tls]
min_version = "1.3"
session_tickets = false
[[tls.certificate]]
chain = "/certs/a.pem"
key = "/certs/a.key"
[[tls.certificate]]
chain = "/certs/b.pem"
key = "/certs/b.key"
[store]
url = "redis://usher:p%40ss@redis:6380/3"
prefix = "front"
timeout = "1s"
[affinity]
cookie = "door"
secret = "0123456789abcdef"
idle = "12h"
[[upstream]]
name = "chat"
replicas = ["a:8080", "[fd00::1]:81 weight=3", "unix:/run/chat.sock", "https://c:443"]
ca = "/certs/ca.pem"
versions = "any"
resolve = "10s"
balance = "rendezvous"
slow_start = "1m"
max_connections = 100
rebalance = 5
queue = 50
queue_timeout = "7s"
drain = "2h"
socketio = ["/socket.io/"]
migrate = false
replay = ["usage"]
quiet = "5s"
park = "1m"
migrate_rate = 50
[upstream.health]
path = "/health"
interval = "1s"
timeout = "2s"
fall = 5
rise = 4
any_answer = true
panic = 80
start = "90s"
host = "chat.example.org"
active = false
[upstream.timeouts]
connect = "1s"
send = "90s"
first_byte = "2m"
between_bytes = "3m"
keep_alive = "500ms"
tunnel_idle = "2h"
[[upstream]]
name = "files"
replicas = ["b:9000"]
[[route]]
host = "*.Example.org"
upstream = "chat"
max_body = "1GiB"
[[route]]
path = "/files/"
upstream = "files"
max_body = 0
set_headers = {}
allow = []
[route.timeouts]
connect = "9s"
send = "5s"
first_byte = "8s"
between_bytes = "7s"
tunnel_idle = "6s"
[[route]]
path = "/old"
redirect = "https://example.org/"
[[route]]
path = "/gone"
status = 410
[forwarded]
trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]
strip = []
[limits]
head = "32KiB"
response_head = "1MiB"
connections = 7
[timeouts]
handshake = "1s"
head = "2s"
keep_alive = "3s"
stall = "4s"
drain = "5s"
[admin]
address = ""
[log]
access = "/var/log/usher.log"
format = "combined"
level = "debug"
)";

TEST(TomlReader, ReadsEveryKey) {
  const auto [settings, origins, warnings] = read(everything);
  EXPECT_THAT(warnings, IsEmpty());

  EXPECT_EQ(settings.workers, 3U);
  EXPECT_EQ(settings.state, "/var/lib/usher");
  ASSERT_EQ(settings.listen.size(), 3U);
  EXPECT_EQ(settings.listen[0].address, (Endpoint{"127.0.0.1", 80, {}}));
  EXPECT_TRUE(settings.listen[0].redirect_to_https);
  EXPECT_FALSE(settings.listen[0].tls);
  EXPECT_EQ(settings.listen[1].address, (Endpoint{"::1", 443, {}}));
  EXPECT_TRUE(settings.listen[1].tls);
  EXPECT_EQ(settings.listen[2].address, (Endpoint{{}, 0, "/run/usher.sock"}));
  EXPECT_EQ(settings.tls.min_version, "1.3");
  EXPECT_FALSE(settings.tls.session_tickets);
  EXPECT_THAT(settings.tls.certificates,
              ElementsAre(CertificateSettings{"/certs/a.pem", "/certs/a.key"},
                          CertificateSettings{"/certs/b.pem", "/certs/b.key"}));
  EXPECT_EQ(settings.store.url, (StoreUrl{.kind = StoreKind::redis,
                                          .tls = false,
                                          .servers = {{"redis", 6380, {}}},
                                          .user = "usher",
                                          .password = "p@ss",
                                          .service = {},
                                          .database = 3}));
  EXPECT_EQ(settings.store.prefix, "front");
  EXPECT_EQ(settings.store.timeout, 1s);
  EXPECT_EQ(settings.affinity,
            (AffinitySettings{
                .cookie = "door", .secret = "0123456789abcdef", .secret_file = {}, .idle = 12h}));
  ASSERT_EQ(settings.upstreams.size(), 2U);
  const auto& chat = settings.upstreams[0];
  EXPECT_EQ(chat.name, "chat");
  EXPECT_THAT(chat.replicas, ElementsAre(ReplicaSettings{{"a", 8080, {}}, 1},
                                         ReplicaSettings{{"fd00::1", 81, {}}, 3},
                                         ReplicaSettings{{{}, 0, "/run/chat.sock"}, 1},
                                         ReplicaSettings{{"c", 443, {}}, 1, true}));
  EXPECT_EQ(chat.ca, "/certs/ca.pem");
  EXPECT_EQ(chat.versions, "any");
  EXPECT_EQ(chat.slow_start, 1min);
  EXPECT_EQ(chat.max_connections, 100U);
  EXPECT_EQ(chat.rebalance, 5U);
  EXPECT_EQ(chat.queue, 50U);
  EXPECT_EQ(chat.queue_timeout, 7s);
  EXPECT_EQ(chat.drain, 2h);
  EXPECT_EQ(chat.resolve, 10s);
  EXPECT_EQ(chat.balance, Balance::rendezvous);
  EXPECT_THAT(chat.socketio, ElementsAre("/socket.io/"));
  EXPECT_FALSE(chat.migrate);
  EXPECT_THAT(chat.replay, ElementsAre("usage"));
  EXPECT_EQ(chat.quiet, 5s);
  EXPECT_EQ(chat.park, 1min);
  EXPECT_EQ(chat.migrate_rate, 50U);
  EXPECT_EQ(chat.health,
            (HealthSettings{"/health", 1s, 2s, 5, 4, true, 80, 90s, "chat.example.org", false}));
  EXPECT_EQ(chat.timeouts, (UpstreamTimeouts{1s, 90s, 2min, 3min, 500ms, 2h}));
  EXPECT_EQ(settings.upstreams[1].health, HealthSettings{});
  EXPECT_THAT(settings.routes,
              ElementsAre(route_of("*.example.org", "/", "chat", "", 0, {uint64_t{1} << 30}, {}),
                          route_of("*", "/files/", "files", "", 0, {0}, {9s, 5s, 8s, 7s, 6s}),
                          route_of("*", "/old", "", "https://example.org/", 0, {0}, {}),
                          route_of("*", "/gone", "", "", 410, {0}, {})));
  ASSERT_EQ(settings.forwarded.trusted.size(), 3U);
  EXPECT_EQ(to_string(settings.forwarded.trusted[1]), "fd00::/8");
  EXPECT_EQ(to_string(settings.forwarded.trusted[2]), "192.0.2.7/32");
  EXPECT_THAT(settings.forwarded.strip, IsEmpty());
  EXPECT_EQ(settings.limits, (LimitSettings{{32 * 1024}, {1024 * 1024}, 7}));
  EXPECT_EQ(settings.timeouts, (ClientTimeouts{1s, 2s, 3s, 4s, 5s}));
  EXPECT_FALSE(settings.admin.address);
  EXPECT_EQ(settings.log, (LogSettings{.access = "/var/log/usher.log",
                                       .format = *parse_template("combined"),
                                       .escape = "default",
                                       .when = {},
                                       .process = "stderr",
                                       .level = LogLevelName::debug,
                                       .files = {}}));
}

TEST(TomlReader, GivesTheDefaultListenersUpstreamAndRouteToAFileWithoutThem) {
  const auto [settings, origins, warnings] = read("workers = 1");
  EXPECT_THAT(settings.listen, ElementsAre(ListenSettings{.address = {{}, 8088, {}}},
                                           ListenSettings{.address = {{}, 8443, {}}, .tls = true}));
  EXPECT_THAT(settings.upstreams, ElementsAre(UpstreamSettings{}));
  EXPECT_THAT(settings.routes, ElementsAre(route_of("*", "/", "open-webui", "", 0, {}, {})));
  EXPECT_EQ(to_string(settings.upstreams[0].replicas[0]), "127.0.0.1:8080");
}

TEST(TomlReader, GivesNoUpstreamToAFileThatHasNoUseForOne) {
  const auto [settings, origins, warnings] = read("[[route]]\nstatus = 404");
  EXPECT_THAT(settings.upstreams, IsEmpty());
}

TEST(TomlReader, RoutesEverythingToTheFirstUpstreamWithoutRoutes) {
  const auto [settings, origins, warnings] = read(R"(
    [[upstream]]
    name = "chat"
    replicas = ["a:1"])");
  EXPECT_THAT(settings.routes, ElementsAre(route_of("*", "/", "chat", "", 0, {}, {})));
}

TEST(TomlReader, GivesARouteTheTimeoutsOfItsUpstreamButForThoseItSets) {
  const auto [settings, origins, warnings] = read(
      "[[route]]\nupstream = \"open-webui\"\n"
      "timeouts.first_byte = \"5s\"\n");
  EXPECT_THAT(warnings, IsEmpty());
  const UpstreamTimeouts upstream{1s, 1min, 2s, 3s, 4s, 6s};
  EXPECT_EQ(merge(upstream, settings.routes[0].timeouts),
            (UpstreamTimeouts{1s, 1min, 5s, 3s, 4s, 6s}));
  EXPECT_EQ(merge(upstream, {9s, 2min, 8s, 7s, 5s}), (UpstreamTimeouts{9s, 2min, 8s, 7s, 4s, 5s}));
  EXPECT_EQ(merge(upstream, {}), upstream);
}

TEST(TomlReader, WarnsOfTimeoutsThatNothingCanMeet) {
  const auto [settings, origins, warnings] = read(
      "[[route]]\npath = \"/gone\"\nstatus = 410\ntimeouts.connect = \"5s\"\n"
      "[[route]]\nupstream = \"open-webui\"\n");
  EXPECT_THAT(warnings,
              ElementsAre(HasSubstr("these timeouts are those of an upstream, and this route")));
}

TEST(TomlReader, KnowsNoKeepAliveOfARoute) {
  EXPECT_THAT(fails("[[route]]\nupstream = \"open-webui\"\ntimeouts.keep_alive = \"5s\"\n"),
              HasSubstr("unknown key \"keep_alive\" in [route.timeouts]; it belongs in "
                        "[upstream.timeouts] or in [timeouts]"));
}

TEST(TomlReader, TakesInlineTablesAndDottedKeysForTheSame) {
  const auto [settings, origins, warnings] = read(R"(
    listen = [{address = ":1"}, {address = ":2", tls = true}]
    upstream = [{name = "a", replicas = ["h:1"], health = {fall = 9}, timeouts.connect = "9s"}])");
  ASSERT_EQ(settings.listen.size(), 2U);
  EXPECT_TRUE(settings.listen[1].tls);
  EXPECT_EQ(settings.upstreams[0].health.fall, 9U);
  EXPECT_EQ(settings.upstreams[0].timeouts.connect, 9s);
}

TEST(TomlReader, OffersHttp2WithTlsUnlessToldOtherwise) {
  const auto [settings, origins, warnings] = read(R"([[listen]]
address = ":1"
[[listen]]
address = ":2"
tls = true
[[listen]]
address = ":3"
protocols = ["h2"])");
  EXPECT_THAT(offered_protocols(settings.listen[0]), ElementsAre("http/1.1"));
  EXPECT_THAT(offered_protocols(settings.listen[1]), ElementsAre("h2", "http/1.1"));
  EXPECT_THAT(offered_protocols(settings.listen[2]), ElementsAre("h2"));
  EXPECT_THAT(warnings, ElementsAre());
}

TEST(TomlReader, WarnsOfWhatIsNotUsedAndOfAShortSecret) {
  const auto [settings, origins, warnings] = read(R"([[listen]]
address = ":1"
[[tls.certificate]]
chain = "a"
key = "b"
[affinity]
secret = "short"
[[upstream]]
name = "a"
replicas = ["h:1"]
[[upstream]]
name = "b"
replicas = ["h:1"])");
  EXPECT_THAT(
      warnings,
      ElementsAre(
          "usher.toml:3:1: no listener speaks TLS: this certificate is not used",
          "usher.toml:7:10: a secret this short can be guessed: take at least 16 characters",
          "usher.toml:12:8: no route leads to the upstream \"b\""));
}

TEST(TomlReader, TellsAllErrorsInTheOrderOfTheLines) {
  EXPECT_EQ(fails("[log]\nlevel = 3\n[admin]\naddress = 4\n[store]\nuri = 5\n"),
            "usher.toml:2:9: log.level: expected \"debug\", \"info\", \"warning\" or \"error\", "
            "got the integer 3\n"
            "usher.toml:4:11: admin.address: expected an address such as \"127.0.0.1:8080\", got "
            "the integer 4\n"
            "usher.toml:6:1: unknown key \"uri\" in [store]; did you mean \"url\"?");
  // What it is called elsewhere counts for more than a table that has the word.
  EXPECT_EQ(fails("[admin]\nlisten = \"127.0.0.1:1\""),
            "usher.toml:2:1: unknown key \"listen\" in [admin]; did you mean \"address\"?");
  EXPECT_THAT(fails("[[listen]]\nport = 80"), HasSubstr("did you mean \"address\"?"));
  EXPECT_THAT(fails("user = \"a b\""), HasSubstr("expected \"name\", \"name:group\""));
}

TEST(TomlReader, CountsColumnsInCharacters) {
  EXPECT_THAT(fails("[log]\n\"ä\" = 1"), HasSubstr("usher.toml:2:1: unknown key \"ä\""));
  EXPECT_THAT(fails("listen = [{address = \"ä\", tls = 1}]"),
              HasSubstr("usher.toml:1:33: listen.tls"));
}

TEST(TomlReader, DoesNotTellWhatFollowsFromAnotherError) {
  // Not also: "a route has none of them", "no upstream is named chat".
  EXPECT_EQ(fails("[[route]]\nupstrem = \"open-webui\""),
            "usher.toml:2:1: unknown key \"upstrem\" in [[route]]; did you mean \"upstream\"?");
  EXPECT_EQ(fails("[[upstream]]\nnaem = \"chat\"\nname = \"c\"\nreplicas = "
                  "[\"a:1\"]\n[[route]]\nupstream = \"chat\""),
            "usher.toml:2:1: unknown key \"naem\" in [[upstream]]; did you mean \"name\"?");
}

TEST(TomlReader, NeverShowsAPassword) {
  for (const std::string url :
       {"redis://u:hunter2@:6379/1", "redis://u:hunter2@h:x", "redis://u:hunter2@h/x",
        "redis://:hunter2", "rediss://u:hunter2@h:x", "redis+sentinel://u:hunter2@a,b",
        "redis+cluster://:hunter2@a,,b", "redis://hunter2@h", "redis://u:hunter2%@h",
        "redis://u:hunter2", "amqp://u:hunter2@h", "redis://u:hunt@er2@h:0",
        "redis://u:hunter2@h:70000"}) {
    EXPECT_THAT(fails("[store]\nurl = \"" + url + "\""), ::testing::Not(HasSubstr("hunter2")))
        << url;
  }
}

TEST(TomlReader, RefusesAFileThatIsFarTooLarge) {
  EXPECT_EQ(fails(std::string((1 << 20) + 1, '#')),
            "usher.toml: larger than 1MiB: this is not a file of settings");
}

TEST(TomlReader, RefusesKeysThatAreNestedWithoutEnd) {
  std::string key = "a";
  for (int i = 0; i < 100'000; ++i)
    key += ".a";
  EXPECT_EQ(fails("\n" + key + " = 1"), "usher.toml:2:1: not TOML: no key is nested so deep");
  EXPECT_EQ(fails("[" + key + "]"), "usher.toml:1:1: not TOML: no key is nested so deep");
  EXPECT_EQ(read("workers = 1 # " + key).settings.workers, 1U);
  EXPECT_EQ(read("log.access = \"" + key + "\"").settings.log.access, key);
}

TEST(TomlReader, TakesPortZeroForSeveralListeners) {
  const auto [settings, origins, warnings] = read(R"(
    listen = [{address = "127.0.0.1:0"}, {address = "127.0.0.1:0"}]
    admin.address = "127.0.0.1:0")");
  EXPECT_EQ(settings.listen.size(), 2U);
  EXPECT_TRUE(settings.admin.address);
}

}  // namespace
}  // namespace usher::conf
