#include "conf/nginx/reader.h"

#include <algorithm>

#include "conf/checks.h"
#include "conf/nginx/directives.h"
#include "conf/nginx/servers.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

// Directives that name a file which is read.
constexpr std::string_view file_directives[] = {
    "ssl_certificate",
    "ssl_certificate_key",
    "ssl_client_certificate",
    "ssl_trusted_certificate",
    "ssl_dhparam",
    "auth_basic_user_file",
    "proxy_ssl_trusted_certificate",
};

// As nginx: a relative name is looked for beside the main file. What has a variable, or is no path
// ("data:", "engine:"), is left alone.
void resolve_files(std::vector<Directive>& directives, const std::string& folder,
                   Origins& origins) {
  for (Directive& each : directives) {
    resolve_files(each.block, folder, origins);
    const bool names_file =
        std::ranges::find(file_directives, each.name) != std::end(file_directives);
    if (!names_file || each.args.empty()) continue;
    std::string& path = each.args.front();
    if (path.empty() || path.find_first_of("$:") != path.npos) continue;
    if (!path.starts_with('/')) path.insert(0, folder);
    origins.emplace(path, line_of(each.at) + ": " + each.name);
  }
}

class Translator final {
 public:
  // `folder` is that of the main file.
  Translator(Settings& settings, Report& report, std::string folder)
      : settings_(settings),
        report_(report),
        upstreams_(settings, report),
        folder_(std::move(folder)) {}

  void translate(const std::vector<Directive>& main, const std::vector<Directive>& http) {
    const Scope around{&main, nullptr};
    const Scope scope{&http, &around};
    settings_.listen.clear();
    settings_.upstreams.clear();
    settings_.routes.clear();
    Maps maps(settings_, report_);
    for (const Directive& each : http) {
      if (each.name == "upstream") upstreams_.declare(each, scope);
      if (each.name == "map") maps.declare(each);
    }
    Limits limits(settings_, maps, report_);
    for (const Directive& each : http) {
      if (each.name == "limit_req_zone" || each.name == "limit_conn_zone") limits.declare(each);
    }
    Logs logs(settings_, maps, report_);
    logs.declare(scope);
    Locations locations(settings_, upstreams_, limits, maps, logs, report_, folder_);
    Servers servers(settings_, locations, report_);
    for (const Directive& each : http) {
      if (each.name == "server") servers.add(each, scope);
    }
    servers.finish();
    error_pages(http);
    if (const Directive* user = around.find("user")) {
      settings_.user = user->args.front();
      if (user->args.size() > 1) settings_.user += ":" + user->args[1];
    }
  }

 private:
  // usher has pages of its own for what a replica does not answer.
  void error_pages(const std::vector<Directive>& block) {
    for (const Directive& each : block) {
      error_pages(each.block);
      if (each.name != "error_page") continue;
      const bool own = std::all_of(each.args.begin(), each.args.end() - 1,
                                   [](const std::string& code) { return code.starts_with('5'); });
      if (own) {
        report_.warning(each.at,
                        "\"error_page\": usher answers with a page of its own, which tries "
                        "again by itself");
      } else {
        report_.not_served(each.at, "\"error_page\" is not served but for 5xx");
      }
    }
  }

  Settings& settings_;
  Report& report_;
  Upstreams upstreams_;
  const std::string folder_;
};

// A file that an http block would include.
bool is_fragment(const std::vector<Directive>& main) {
  const auto has = [&](std::string_view name) {
    return std::any_of(main.begin(), main.end(),
                       [&](const Directive& each) { return each.name == name; });
  };
  return !has("http") && has("server");
}

bool pass_on(const std::vector<Directive>& directives) {
  return std::any_of(directives.begin(), directives.end(), [](const Directive& each) {
    return each.name == "proxy_pass" || pass_on(each.block);
  });
}

}  // namespace

bool is_of_a_proxy(const std::string& path, std::string_view text, const Files& files) {
  Report report(true);
  const auto main = parse(path, text, files, report);
  return !main || pass_on(*main);
}

Result<ReadSettings> read(const std::string& path, std::string_view text, bool lenient,
                          const Files& files) {
  Report report(lenient);
  auto main = parse(path, text, files, report);
  if (!main) return report.to_error();
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  ReadSettings made;
  resolve_files(*main, folder, made.origins);
  const bool fragment = is_fragment(*main);
  check_directives(*main, fragment ? in_http : in_main, report);
  const auto http = std::find_if(main->begin(), main->end(),
                                 [](const Directive& each) { return each.name == "http"; });
  const Place top{std::make_shared<const std::string>(path), 1, 1};
  if (!fragment && http == main->end()) report.error(top, "no \"http\" block, and no \"server\"");
  if (report.any_error()) return report.to_error();

  const auto& block = fragment ? *main : http->block;
  Translator(made.settings, report, folder)
      .translate(fragment ? std::vector<Directive>{} : *main, block);
  made.settings.limits.strict_paths = true;
  if (made.settings.listen.empty()) report.error(top, "no \"server\" in this file");
  if (report.any_error()) return report.to_error();

  // What one value alone does not show; in nginx's file it has no line.
  Problems problems(path);
  check(made.settings, {}, problems);
  if (problems.any_error()) return problems.to_error();
  made.warnings = report.warnings(path);
  return made;
}

}  // namespace usher::conf::nginx
