#include "conf/nginx/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "conf/endpoint.h"
#include "conf/load.h"

namespace usher::conf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Tree = std::map<std::string, std::string>;

nginx::Files files_of(Tree tree) {
  const auto read = [tree](const std::string& path) -> Result<std::string> {
    const auto found = tree.find(path);
    if (found == tree.end()) return Error{Errc::not_found, Side::usher, "cannot be read: none"};
    return found->second;
  };
  const auto glob = [tree](const std::string& pattern) {
    std::vector<std::string> found;
    const std::string folder = pattern.substr(0, pattern.find('*'));
    for (const auto& [path, _] : tree) {
      if (path.starts_with(folder)) found.push_back(path);
    }
    return found;
  };
  return {read, glob};
}

Result<ReadSettings> read(const std::string& text, bool lenient = false, Tree tree = {}) {
  return nginx::read("/etc/nginx/nginx.conf", text, lenient, files_of(std::move(tree)));
}

Settings settings_of(const std::string& text) {
  auto made = read(text);
  EXPECT_TRUE(made) << made.error().detail;
  return made ? made->settings : Settings{};
}

std::string error_of(const std::string& text) {
  const auto made = read(text);
  EXPECT_FALSE(made) << text;
  return made ? "" : made.error().detail;
}

std::vector<std::string> warnings_of(const std::string& text) {
  auto made = read(text);
  EXPECT_TRUE(made) << made.error().detail;
  return made ? made->warnings : std::vector<std::string>{};
}

std::string server(const std::string& inside) {
  return "events {}\nhttp { server { listen 80; " + inside + " } }";
}

TEST(NginxReader, ReadsAServerAsListenerUpstreamAndRoute) {
  const Settings settings = settings_of(
      server("client_max_body_size 20M; location / { proxy_pass http://open-webui:8080; "
             "proxy_set_header Host $host; proxy_read_timeout 10m; }"));
  ASSERT_EQ(settings.listen.size(), 1U);
  EXPECT_EQ(to_string(settings.listen[0].address), ":80");
  ASSERT_EQ(settings.upstreams.size(), 1U);
  EXPECT_EQ(settings.upstreams[0].name, "open-webui-8080");
  EXPECT_EQ(to_string(settings.upstreams[0].replicas[0]), "open-webui:8080");
  EXPECT_TRUE(settings.upstreams[0].health.any_answer);
  ASSERT_EQ(settings.routes.size(), 1U);
  const RouteSettings& route = settings.routes[0];
  EXPECT_EQ(route.host, "*");
  EXPECT_EQ(route.match, PathMatch::prefix);
  EXPECT_EQ(route.max_body.bytes, 20U << 20);
  EXPECT_EQ(route.timeouts.first_byte, 10min);
  EXPECT_EQ(route.timeouts.tunnel_idle, 10min);
  ASSERT_EQ(route.set_headers.size(), 1U);
  EXPECT_EQ(route.set_headers[0].value.source, "$host");
}

TEST(NginxReader, ReadsWhereFilesAre) {
  const Settings settings = settings_of(server(
      "root /srv/www; index a.html /b; location /a/ { } location /b { alias /srv/files/; index c; "
      "} "
      "location = /robots.txt { alias /srv/robots.txt; } location ~ ^/i/(.+)$ { alias /srv/i/$1; } "
      "location /c { root /srv/$host/; try_files $uri $uri/ /index.html?$args; } "
      "location /d { proxy_pass http://open-webui; proxy_set_header Host $host; } "
      "location /e { try_files $uri @app; etag off; location /e/f { } } "
      "location @app { proxy_pass http://open-webui; proxy_set_header Host $host; }"));
  struct Row {
    const char* path;
    const char* root;
    const char* alias;
    const char* index;
    const char* last;
    bool etag = true;
  };
  const Row rows[] = {{"/a/", "/srv/www", "", "/b", ""},
                      {"/b", "", "/srv/files/", "c", ""},
                      {"/robots.txt", "", "/srv/robots.txt", "/b", ""},
                      {"^/i/(.+)$", "", "/srv/i/$1", "/b", ""},
                      {"/c", "/srv/$host/", "", "/b", "/index.html?$args"},
                      {"/d", "", "", "index.html", ""},
                      {"/e/f", "/srv/www", "", "/b", "", false},
                      {"/e", "/srv/www", "", "/b", "@app", false},
                      {"@app", "", "", "index.html", ""},
                      {"/", "/srv/www", "", "/b", ""}};
  ASSERT_EQ(settings.routes.size(), std::size(rows));
  for (size_t i = 0; i < std::size(rows); ++i) {
    const RouteSettings& route = settings.routes[i];
    EXPECT_EQ(route.path, rows[i].path);
    EXPECT_EQ(route.root.source, rows[i].root) << route.path;
    EXPECT_EQ(route.alias.source, rows[i].alias) << route.path;
    EXPECT_EQ(route.index.back().source, rows[i].index) << route.path;
    EXPECT_EQ(route.try_files.empty() ? "" : route.try_files.back().source, rows[i].last)
        << route.path;
    EXPECT_EQ(route.etag, rows[i].etag) << route.path;
    EXPECT_EQ(route.status, 0) << route.path;
  }
  EXPECT_EQ(settings.routes[8].match, PathMatch::named);
}

TEST(NginxReader, SharesTypesThatAreTheSame) {
  const Settings settings = settings_of(
      "events {} http { types { text/html html htm; text/x x; } types { text/y y; } server { root "
      "/w; location /own { types { } default_type a/b; } location /same { } } server { listen 81; "
      "root /v; types { text/html html htm; text/x x; text/y y; } } }");
  ASSERT_EQ(settings.types.size(), 2U);
  EXPECT_TRUE(settings.types[0].entries.empty());
  EXPECT_EQ(settings.types[1].entries.size(), 3U);
  EXPECT_EQ(settings.routes.front().types, "types");
  EXPECT_EQ(settings.routes.back().types, "types-2");
}

TEST(NginxReader, SplitsServersByNameAndPort) {
  const Settings settings = settings_of(
      "events {} http {"
      "server { listen 80 default_server; server_name _; return 404; }"
      "server { listen 80; listen 443 ssl; server_name a.org .b.org; return 301 https://$host$uri; "
      "ssl_certificate c; ssl_certificate_key k; } }");
  ASSERT_EQ(settings.routes.size(), 3U);
  EXPECT_EQ(settings.routes[0].host, "*");
  EXPECT_THAT(settings.routes[0].ports, ElementsAre(80));
  EXPECT_EQ(settings.routes[1].host, "*");
  EXPECT_THAT(settings.routes[1].ports, ElementsAre(443));
  EXPECT_THAT(settings.routes[2].hosts, ElementsAre("a.org", "b.org", "*.b.org"));
  EXPECT_THAT(settings.routes[2].ports, ElementsAre(80));
  EXPECT_THAT(settings.tls.certificates,
              ElementsAre(CertificateSettings{"/etc/nginx/c", "/etc/nginx/k"}));
}

TEST(NginxReader, PutsIncludesInTheirPlaceAndNamesTheirLines) {
  const auto made = nginx::read(
      "/etc/nginx/nginx.conf", "events {}\nhttp { include mime.types; include conf.d/*.conf; }",
      false, files_of({{"/etc/nginx/conf.d/a.conf", "server {\n  listen 80;\n  lisen 81;\n}"}}));
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().detail, HasSubstr("/etc/nginx/conf.d/a.conf:3:3: unknown directive "
                                             "\"lisen\"; did you mean \"listen\"?"));
  const auto loop =
      nginx::read("/n.conf", "include n.conf;", false, files_of({{"/n.conf", "include n.conf;"}}));
  ASSERT_FALSE(loop);
  EXPECT_THAT(loop.error().detail, HasSubstr("too deep"));
}

struct ErrorRow {
  const char* text;
  const char* said;
};

TEST(NginxReader, RefusesInNginxsMannerWithTheLine) {
  const ErrorRow rows[] = {
      {"events {}\nhttp { server { listen 80;", ":2:27: unexpected end of file, expecting \"}\""},
      {"events {}\n}", ":2:1: unexpected \"}\""},
      {"events {};", ":1:10: unexpected \";\""},
      {"events {} http { server { listen 80 }", "unexpected \"}\""},
      {"events {} http { server { return 200 \"x; } }", "the closing quote is missing"},
      {"events {} http { listen 80; }", "\"listen\" directive is not allowed here"},
      {"events {} http { server { listen 80 sll; } }", "invalid parameter \"sll\""},
      {"events {} http { server { server_name; } }",
       "invalid number of arguments in \"server_name\" directive"},
      {"events {} http { server { location / { proxy_pass ftp://x; } } }", "is not served"},
      {"events {} http { server { location ~ ^/( { return 200; } } }",
       "missing closing parenthesis"},
      {"events {} http { server { location / { return 200 $nothing; } } }",
       "unknown variable \"$nothing\""},
      {"events {} http { server { client_max_body_size many; location / { proxy_pass http://x; } } "
       "}",
       "invalid value"},
      {"events {} http { upstream u {} server { location / { proxy_pass http://u; } } }",
       "no servers are inside upstream \"u\""},
      {"events {} http { server { root /w; location / { try_files $uri index.html; } } }",
       "\"index.html\" is none"},
      {"events {} http { server { root /w; location / { try_files @a $uri; } } }",
       "\"@a\" is none"},
      {"events {} http { server { root /w; location / { try_files $uri @a; } } }",
       "no route is named \"@a\""},
      {"events {} http { server { location /a { location @b { return 200; } } } }",
       "named location \"@b\" can be on the server level only"},
      {"events {} http { server { location @a { alias /b/; } } }",
       "the \"alias\" directive cannot be used inside the named location"},
      {"events {} http { server { location /a/ { alias /w/; location /a/b/ { } } } }",
       "\"alias\" is not served for a location within this one"},
      {"events {} http { server { location /a/ { root /v; alias /w/; } } }",
       "\"root\" directive was specified"},
      {"events {} http { server { root /w; etag maybe; } }", "it must be \"on\" or \"off\""},
      {"events {} http { server { root /w; types { html text; } } }", "invalid line \"html text\""},
      {"events {} http { server { root $host; } }", "where a variable is its beginning"},
      {"events {} http { server { location / { mirror /x; return 200; } } }",
       "\"mirror\" is not served: a request goes to one replica"},
      {"events {} http { server { location / { if ($uri = /) { return 200; } } } }",
       "\"if\" in a location is not served"},
      {"events {}", "no \"http\" block"},
      {"", "no \"http\" block"},
      {"events {} http {}", "no \"server\" in this file"},
  };
  for (const ErrorRow& row : rows)
    EXPECT_THAT(error_of(row.text), HasSubstr(row.said)) << row.text;
}

TEST(NginxReader, WarnsInsteadWhenItIsLenient) {
  const std::string text =
      server("location / { mirror /x; proxy_pass http://a:1; } location @named { return 200; }");
  EXPECT_FALSE(read(text));
  const auto made = read(text, true);
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_THAT(made->warnings, testing::Contains(HasSubstr("\"mirror\" is not served")));
  // What nginx itself would refuse is no matter of taste.
  EXPECT_FALSE(read(server("server_name;"), true));
}

TEST(NginxReader, NamesWhatHasNoEffectInOneLineForEachReason) {
  const auto warnings = warnings_of(
      "user nginx; worker_processes 4; events { worker_connections 9; } http { sendfile on; server "
      "{ "
      "listen 80; return 200; } }");
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_THAT(warnings[0], HasSubstr("here: worker_processes, worker_connections: usher has"));
  EXPECT_THAT(warnings[1], HasSubstr("here: sendfile: files and sockets"));
}

TEST(NginxReader, TakesTheUserWhomTheProcessBecomes) {
  const std::string rest = "; events {} http { server { listen 80; return 200; } }";
  EXPECT_EQ(read("user www-data" + rest)->settings.user, "www-data");
  EXPECT_EQ(read("user www-data adm" + rest)->settings.user, "www-data:adm");
  EXPECT_EQ(read("pid x" + rest)->settings.user, "");
}

TEST(NginxReader, LooksForFilesBesideItselfAndKnowsWhereEachWasNamed) {
  const auto made = read(
      "events {} http { server { listen 443 ssl; ssl_certificate a.pem;\n"
      "ssl_certificate_key /k/a.key; return 200; } }");
  ASSERT_TRUE(made) << made.error().detail;
  ASSERT_EQ(made->settings.tls.certificates.size(), 1U);
  const std::string& chain = made->settings.tls.certificates[0].chain;
  EXPECT_TRUE(chain.starts_with('/') && chain.ends_with("/a.pem")) << chain;
  EXPECT_THAT(made->origins.at(chain), HasSubstr(":1:43: ssl_certificate"));
  EXPECT_THAT(made->origins.at("/k/a.key"), HasSubstr(":2:1: ssl_certificate_key"));
}

TEST(NginxReader, CountsTheIntermediateCertificatesOfClientsAsNginxDoes) {
  const auto depth_of = [](const std::string& more) {
    return read(
               "events {} http { server { listen 443 ssl; ssl_certificate /a; ssl_certificate_key "
               "/b; " +
               more + " return 200; } }")
        ->settings.tls.client_verify_depth;
  };
  const std::string verified = "ssl_verify_client on; ssl_client_certificate /c; ";
  EXPECT_EQ(depth_of(""), TlsSettings().client_verify_depth);
  EXPECT_EQ(depth_of(verified), 1U);
  EXPECT_EQ(depth_of(verified + "ssl_verify_depth 3;"), 3U);
}

TEST(NginxReader, WarnsOfUploadsWithoutALimitOnlyWhereThereAreSuch) {
  const auto warns = [](const std::string& locations) {
    for (const std::string& warning : warnings_of(server(locations)))
      if (warning.find("client_max_body_size") != std::string::npos) return true;
    return false;
  };
  const std::string passed = "proxy_pass http://a:1; proxy_set_header Host $host; ";
  EXPECT_TRUE(warns("location / { " + passed + "}"));
  EXPECT_FALSE(warns("location / { client_max_body_size 0; " + passed + "}"));
  EXPECT_FALSE(warns("client_max_body_size 0; location / { " + passed + "}"));
  EXPECT_TRUE(warns("location / { client_max_body_size 0; " + passed + "} location /api/ { " +
                    passed + "}"));
  EXPECT_FALSE(warns("location / { client_max_body_size 0; location /x { " + passed + "} } "));
}

TEST(NginxReader, WarnsOfWhatOpenWebuiDoesNotBear) {
  const auto warnings =
      warnings_of(server("location / { proxy_pass http://a:1; proxy_read_timeout 60s; } "
                         "location /api/ { proxy_pass http://b:1; proxy_set_header Host $host; } "
                         "add_header Permissions-Policy \"microphone=()\";"));
  for (const char* part : {"no \"proxy_set_header Host\"", "no \"client_max_body_size\"",
                           "longer than 60 s", "leads to another upstream", "voice input"})
    EXPECT_THAT(warnings, testing::Contains(HasSubstr(part))) << part;
}

TEST(NginxReader, KeepsAccessRulesWhereTheirOrderAllows) {
  const auto route = [](const std::string& rules) {
    return settings_of(server("location / { " + rules + " proxy_pass http://a:1; }")).routes.at(0);
  };
  EXPECT_EQ(route("allow 10.1.2.3/8; deny all;").allow, std::vector{*parse_cidr("10.0.0.0/8")});
  EXPECT_THAT(route("allow 10.1.2.3/8; deny all;").deny, IsEmpty());
  EXPECT_EQ(route("deny 10.0.0.0/8; allow all;").deny, std::vector{*parse_cidr("10.0.0.0/8")});
  EXPECT_EQ(route("deny all;").deny.size(), 3U);
  EXPECT_EQ(route("allow 10.0.0.1;"), route(""));
  EXPECT_THAT(error_of(server("location / { allow 10.0.0.0/8; deny 10.0.0.1; deny all; "
                              "proxy_pass http://a:1; }")),
              HasSubstr("a \"deny\" within an \"allow\""));
}

std::string limited(const std::string& zones, const std::string& inside) {
  return "events {}\nhttp { " + zones + " server { listen 80; " + inside + " } }";
}

TEST(NginxReader, ReadsLimitsWithTheirZones) {
  const Settings settings = settings_of(limited(
      "limit_req_zone $binary_remote_addr zone=api:10m rate=30r/m; limit_conn_zone $server_name "
      "zone=open:1m; limit_req zone=api burst=60 nodelay; limit_req_log_level warn;",
      "limit_conn open 100; location /a/ { proxy_pass http://a:1; } location /b/ { limit_req "
      "zone=api burst=5 delay=2; limit_req_status 429; limit_conn_status 444; proxy_pass "
      "http://a:1; } location = /c { return 204; }"));
  ASSERT_EQ(settings.rate_zones.size(), 1U);
  EXPECT_EQ(settings.rate_zones[0].name, "api");
  EXPECT_EQ(settings.rate_zones[0].rate.thousandths(), 500U);
  EXPECT_EQ(settings.rate_zones[0].size.bytes, 10U << 20);
  ASSERT_EQ(settings.connection_zones.size(), 1U);
  EXPECT_EQ(settings.connection_zones[0].key.source, "$server_name");
  ASSERT_GE(settings.routes.size(), 3U);
  const RouteSettings& a = settings.routes[0];
  ASSERT_EQ(a.rate_limits.size(), 1U);
  EXPECT_EQ(to_string(a.rate_limits[0]), "api burst=60 nodelay");
  EXPECT_EQ(a.rate_limit_status, 503);
  ASSERT_EQ(a.connection_limits.size(), 1U);
  EXPECT_EQ(to_string(a.connection_limits[0]), "open 100");
  const RouteSettings& b = settings.routes[1];
  ASSERT_EQ(b.rate_limits.size(), 1U) << "its own in the place of those around it";
  EXPECT_EQ(to_string(b.rate_limits[0]), "api burst=5 delay=2");
  EXPECT_EQ(b.rate_limit_status, 429);
  EXPECT_EQ(b.connection_limit_status, 444);
  EXPECT_THAT(settings.routes[2].rate_limits, IsEmpty()) << "return comes before limits";
}

TEST(NginxReader, ReadsWhereStubStatusIs) {
  const Settings settings = settings_of(
      server("location = /nginx_status { stub_status; allow 127.0.0.1; deny all; access_log off; } "
             "location / { proxy_pass http://a:1; }"));
  const RouteSettings& route = settings.routes.at(0);
  EXPECT_TRUE(route.stub_status);
  EXPECT_EQ(route.status, 0);
  EXPECT_EQ(route.allow.size(), 1U);
  EXPECT_FALSE(settings.routes.at(1).stub_status);
}

TEST(NginxReader, RefusesLimitsAsNginxDoes) {
  struct Row {
    const char* zones;
    const char* inside;
    const char* wanted;
  };
  constexpr Row rows[] = {
      {"limit_req_zone $host zone=a:10m rate=1r/h;", "", "invalid rate \"rate=1r/h\""},
      {"limit_req_zone $host zone=a:8k rate=1r/s;", "", "zone \"a:8k\" is too small"},
      {"limit_req_zone $host zone=a rate=1r/s;", "", "invalid zone size \"a\""},
      {"limit_req_zone $host rate=1r/s burst=1;", "", "invalid parameter \"burst=1\""},
      {"limit_req_zone $nothing zone=a:1m rate=1r/s;", "", "unknown variable \"$nothing\""},
      {"limit_conn_zone $host zone=a:1m; limit_conn_zone $uri zone=a:1m;", "", "declared twice"},
      {"", "limit_req zone=b burst=5;", "no zone \"b\""},
      {"limit_conn_zone $host zone=a:1m;", "limit_req zone=a;", "no zone \"a\""},
      {"limit_req_zone $host zone=a:1m rate=1r/s;", "limit_req burst=5;", "must have \"zone\""},
      {"limit_req_zone $host zone=a:1m rate=1r/s;", "limit_req zone=a burst=0;", "invalid burst"},
      {"limit_req_zone $host zone=a:1m rate=1r/s;", "limit_req zone=a; limit_req zone=a burst=2;",
       "is duplicate"},
      {"limit_req_zone $host zone=a:1m rate=1r/s;", "limit_req zone=a; limit_req_status 302;",
       "between 400 and 599"},
      {"limit_conn_zone $host zone=a:1m;", "limit_conn a 0;", "invalid number of connections"}};
  for (const Row& row : rows) {
    const std::string inside =
        "location /api/ { " + std::string(row.inside) + " proxy_pass http://a:1; }";
    EXPECT_THAT(error_of(limited(row.zones, inside)), HasSubstr(row.wanted)) << row.zones;
  }
}

TEST(NginxReader, WarnsOfALimitThatBreaksOpenWebuisPage) {
  const std::string zone = "limit_req_zone $binary_remote_addr zone=a:1m rate=10r/s;";
  const auto warnings = [&](const std::string& path, const std::string& limit) {
    return warnings_of(limited(
        zone, "location " + path + " { limit_req zone=a " + limit + "; proxy_pass http://a:1; }"));
  };
  const auto of_limits = testing::Contains(HasSubstr("a first visit asks for more"));
  EXPECT_THAT(warnings("/", "burst=20 nodelay"), of_limits);
  EXPECT_THAT(warnings("/", "burst=100 nodelay"), testing::Not(of_limits));
  EXPECT_THAT(warnings("/api/", "burst=20"), testing::Not(of_limits));
}

TEST(NginxReader, ReplacesWhatSetHasSaid) {
  const Settings settings = settings_of(
      server("set $host_of_it web:8080; set $up http://$host_of_it; location / { proxy_pass $up; } "
             "location /x/ { set $tail /y/; proxy_pass http://${host_of_it}$request_uri; }"));
  EXPECT_EQ(settings.upstreams.size(), 1U);
  EXPECT_EQ(settings.routes[0].upstream, "web-8080");
  EXPECT_EQ(settings.routes[1].replace_path, "");
}

TEST(NginxReader, MakesMapsOfWhatIsAskedFor) {
  const std::string maps =
      "map $http_upgrade $connection_upgrade { default upgrade; '' close; } "
      "map $outer $inner { \\default 1; \\~x 2; '~(?<rest>.)' $rest; } "
      "map $host $outer { hostnames; volatile; default $inner_not; *.a.org b; } "
      "map $uri $inner_not { default x; } map $nothing_known $unused { } ";
  const Settings settings = settings_of(
      "events {} http { " + maps +
      "server { location / { proxy_pass http://a:1; proxy_set_header Connection "
      "$connection_upgrade; proxy_set_header Host $host; } location /x { return 200 $inner; } } }");
  ASSERT_EQ(settings.maps.size(), 3U);
  const MapSettings& inner = settings.maps[0];
  EXPECT_EQ(inner.name, "inner");
  EXPECT_EQ(inner.source.source, "$outer");
  EXPECT_TRUE(inner.otherwise.empty());
  EXPECT_EQ(inner.entries, (std::vector<MapEntry>{{"default", *parse_template("1")},
                                                  {"\\~x", *parse_template("2")},
                                                  {"~(?<rest>.)", *parse_template("$rest")}}));
  EXPECT_EQ(settings.maps[1].name, "outer");
  EXPECT_TRUE(settings.maps[1].hostnames);
  EXPECT_EQ(settings.maps[1].otherwise.source, "$inner_not");
  EXPECT_EQ(settings.maps[2].name, "inner_not");
}

TEST(NginxReader, RefusesMapsInNginxsMannerWithTheLine) {
  const ErrorRow rows[] = {
      {"map $uri made { }", "invalid variable name \"made\""},
      {"map $uri $host { }", "the duplicate \"host\" variable"},
      {"map $uri $made {\n a 1;\n A 2; }", ":3:2: conflicting parameter \"A\""},
      {"map $uri $made { default 1; default 2; }", "duplicate default map parameter"},
      {"map $uri $made { a; }", "invalid number of the map parameters"},
      {"map $uri $made { a b c; }", "invalid number of the map parameters"},
      {"map $uri $made { ~( 1; }", "missing closing parenthesis"},
      {"map $uri $made { a $; }", "invalid variable name in \"$\""},
      {"map $made $made { }", "the map \"$made\" leads back to itself"},
      {"map $other $made { } map $uri $other { a $made; }", "leads back to itself"},
      {"map $uri $made { a $1; }", "\"$1\" is not known"},
      {"map $geoip_country $made { }", "\"$geoip_country\" is not known"},
  };
  for (const ErrorRow& row : rows) {
    const std::string text(row.text);
    EXPECT_THAT(error_of("events {} http { " + text + " server { return 200 $made; } }"),
                HasSubstr(row.said))
        << text;
  }
  EXPECT_TRUE(
      read("events {} http { map $uri $made { a $1; b 2; } server { return 200 $made; } }", true));
}

// A chain is followed without a stack, and its end is an error.
TEST(NginxReader, BoundsHowManyMapsLeadToEachOther) {
  const auto chain = [](int length) {
    std::string text = "events {} http { map $uri $m0 { } ";
    for (int i = 1; i < length; ++i)
      text += "map $m" + std::to_string(i - 1) + " $m" + std::to_string(i) + " { } ";
    return text + "server { return 200 $m" + std::to_string(length - 1) + "; } }";
  };
  EXPECT_EQ(settings_of(chain(100)).maps.size(), 100U);
  EXPECT_THAT(error_of(chain(101)), HasSubstr("too many others"));
  EXPECT_THAT(error_of(chain(20'000)), HasSubstr("too many others"));
}

std::string tls_server(const std::string& inside) {
  return "server { listen 443 ssl; ssl_certificate /c; ssl_certificate_key /k; return 200; " +
         inside + " } ";
}

TEST(NginxReader, AsksClientsForCertificatesWhereAllServersDo) {
  const std::string asks = "ssl_client_certificate /ca; ssl_verify_client ";
  const TlsSettings on = settings_of("events {} http { " + tls_server(asks + "on;") + " }").tls;
  EXPECT_EQ(on.client_certificate, "require");
  EXPECT_EQ(on.client_ca, "/ca");
  EXPECT_EQ(settings_of("events {} http { " + tls_server(asks + "optional;") + " }")
                .tls.client_certificate,
            "request");
  const TlsSettings off = settings_of("events {} http { " + tls_server(asks + "off;") + " }").tls;
  EXPECT_EQ(off, settings_of("events {} http { " + tls_server("") + " }").tls);
  const TlsSettings all =
      settings_of("events {} http { " + asks + "on; " + tls_server("server_name a;") +
                  tls_server("server_name b;") + "server { listen 80; return 301 https://a/; } }")
          .tls;
  EXPECT_EQ(all, on);
  for (const std::string& some :
       {tls_server("") + tls_server(asks + "on;"), tls_server(asks + "on;") + tls_server(""),
        tls_server(asks + "on;") + tls_server(asks + "optional;")})
    EXPECT_THAT(error_of("events {} http { " + some + " }"), HasSubstr("for all servers alike"));
  EXPECT_THAT(error_of("events {} http { " + tls_server("ssl_verify_client on;") + " }"),
              HasSubstr("no ssl_client_certificate for ssl_verify_client"));
  EXPECT_THAT(error_of("events {} http { " + tls_server(asks + "optional_no_ca;") + " }"),
              HasSubstr("\"optional_no_ca\" is not served"));
  EXPECT_THAT(error_of("events {} http { " + tls_server(asks + "yes;") + " }"),
              HasSubstr("invalid value \"yes\""));
}

TEST(NginxReader, ReadsCiphersAndStapling) {
  const TlsSettings tls =
      settings_of("events {} http { " +
                  tls_server("ssl_ciphers HIGH:!aNULL:!MD5; ssl_stapling off; ssl_ecdh_curve "
                             "secp384r1; ssl_prefer_server_ciphers off;") +
                  " }")
          .tls;
  EXPECT_EQ(tls.groups, "secp384r1");
  EXPECT_FALSE(tls.prefer_server_ciphers);
  EXPECT_EQ(tls.ciphers, "HIGH:!aNULL:!MD5");
  EXPECT_FALSE(tls.ocsp_stapling);
  EXPECT_TRUE(settings_of("events {} http { " + tls_server("") + " }").tls.ocsp_stapling);
}

TEST(NginxReader, ReadsTheProxyProtocolOfKnownBalancers) {
  const auto of = [](const std::string& more) {
    return "events {} http { server { listen 80 proxy_protocol; listen 81; " + more +
           " return 200; } }";
  };
  const Settings settings =
      settings_of(of("set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol;"));
  ASSERT_EQ(settings.listen.size(), 2U);
  EXPECT_TRUE(settings.listen[0].proxy_protocol);
  EXPECT_FALSE(settings.listen[1].proxy_protocol);
  EXPECT_EQ(settings.listen[0].trusted, std::vector{*parse_cidr("10.0.0.0/8")});
  EXPECT_TRUE(settings.listen[1].trusted.empty());
  EXPECT_TRUE(settings.forwarded.trusted.empty()) << "no header is believed";
  EXPECT_THAT(error_of(of("")), HasSubstr("name them with set_real_ip_from"));
  EXPECT_THAT(error_of(server("real_ip_header proxy_protocol; return 200;")),
              HasSubstr("believed where \"listen\" says proxy_protocol"));
}

TEST(NginxReader, AHeaderOfItsOwnSaysToEachServerWhoTheClientIs) {
  const auto of = [](const std::string& first, const std::string& second = "") {
    return "events {} http { set_real_ip_from 10.0.0.0/8; server { listen 80; return 200; " +
           first + " } server { listen 81; return 200; " + second + " } }";
  };
  const auto header = [&](const std::string& first, const std::string& second) {
    return settings_of(of(first, second)).forwarded.client_header;
  };
  EXPECT_EQ(header("", ""), "X-Real-IP");
  const std::string cloudflare = "real_ip_header CF-Connecting-IP;";
  EXPECT_EQ(header(cloudflare, "real_ip_header cf-connecting-ip;"), "CF-Connecting-IP");
  const Settings two = settings_of(of(cloudflare, "real_ip_header X-Forwarded-For;"));
  ASSERT_EQ(two.routes.size(), 2u);
  EXPECT_EQ(two.routes[0].forwarded.client_header, "CF-Connecting-IP");
  EXPECT_EQ(two.routes[1].forwarded.client_header, "X-Forwarded-For");
  EXPECT_TRUE(two.forwarded.trusted.empty());
  // Without set_real_ip_from nobody is believed, whatever the header.
  EXPECT_EQ(settings_of(server(cloudflare + "return 200;")).forwarded.client_header,
            "X-Forwarded-For");
}

TEST(NginxReader, SendsLinesToTheLogsThatHold) {
  const Settings settings = settings_of(
      "events {} http { log_format main escape=json '{\"a\":\"$remote_addr\",' '\"s\":$status}'; "
      "map $status $bad { ~^[45] 1; default 0; } "
      "access_log /dev/stdout main buffer=32k flush=5s; "
      "server { listen 80; location / { return 200; } "
      "location /a { access_log off; return 200; } "
      "location /b { access_log /l/b.log combined if=$bad; access_log /dev/stdout main; return "
      "200; "
      "} location /c { access_log /l/b.log; return 200; } } }");
  EXPECT_EQ(settings.log.access, "stdout");
  EXPECT_EQ(settings.log.format.source, R"({"a":"$remote_addr","s":$status})");
  EXPECT_EQ(settings.log.escape, "json");
  ASSERT_EQ(settings.log.files.size(), 2U);
  EXPECT_EQ(settings.log.files[0], (AccessLogSettings{"b", "/l/b.log", *parse_template("combined"),
                                                      "default", *parse_template("$bad")}));
  EXPECT_EQ(settings.log.files[1].name, "b-2");
  EXPECT_TRUE(settings.log.files[1].when.empty());
  EXPECT_EQ(settings.maps.size(), 1U);
  ASSERT_EQ(settings.routes.size(), 4U);
  EXPECT_THAT(settings.routes[0].access_logs, IsEmpty());
  EXPECT_FALSE(settings.routes[1].access_log);
  EXPECT_THAT(settings.routes[2].access_logs, ElementsAre("b", "main"));
  EXPECT_THAT(settings.routes[3].access_logs, ElementsAre("b-2"));
}

TEST(NginxReader, SendsTheProcessLogWhereErrorsGo) {
  const auto log_of = [](const std::string& line) {
    return settings_of(line + " events {} http { server { location / { return 200; } } }").log;
  };
  EXPECT_EQ(log_of("error_log /l/error.log warn;").process, "/l/error.log");
  EXPECT_EQ(log_of("error_log /l/error.log warn;").level, LogLevelName::warning);
  EXPECT_EQ(log_of("error_log /dev/stderr info;").process, "stderr");
  EXPECT_EQ(log_of("error_log stderr;").level, LogLevelName::error);
  EXPECT_EQ(log_of("error_log syslog:server=127.0.0.1 notice;").process, "stderr");
  EXPECT_EQ(log_of("").process, "stderr");
}

TEST(NginxReader, RefusesLogsInNginxsMannerWithTheLine) {
  const ErrorRow rows[] = {
      {"access_log /l main;", "unknown log format \"main\""},
      {"log_format a escape=xml '$host';", "unknown log format escaping \"xml\""},
      {"log_format a '$host'; log_format a '$host';", "duplicate \"log_format\" name \"a\""},
      {"log_format a '$hots'; access_log /l a;", "has \"$hots\", which is no variable"},
      {"access_log /l combined fast;", "invalid parameter \"fast\""},
      {"access_log /l-$host.log;", "goes to one file or to standard output"},
  };
  for (const ErrorRow& row : rows) {
    EXPECT_THAT(error_of("events {} http { " + std::string(row.text) +
                         " server { location / { return 200; } location /a { return 200; } } }"),
                HasSubstr(row.said))
        << row.text;
  }
}

// The files of the differential test, which runs where nginx is.
TEST(NginxReader, TakesEveryFileThatIsComparedWithNginx) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/nginx")) {
    if (entry.path().extension() != ".conf") continue;
    ++files;
    const auto text = read_file(entry.path().string());
    ASSERT_TRUE(text);
    const auto made = nginx::read(entry.path().string(), *text, false, files_of({}));
    EXPECT_TRUE(made) << entry.path() << "\n" << (made ? "" : made.error().detail);
  }
  EXPECT_GE(files, 32U);
}

}  // namespace
}  // namespace usher::conf
