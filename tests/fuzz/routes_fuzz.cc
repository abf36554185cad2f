// A request's authority and path against a table of routes: lines of the input are routes ("host
// path"), the last two are the request. What is found must match, and nothing better may stand in
// the table.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "protocol/request_path.h"
#include "routing/routes.h"

namespace {

using namespace usher;

constexpr size_t most_routes = 16;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const auto [line, rest] = cut(text, '\n');
    lines.push_back(line);
    if (!rest || lines.size() > most_routes + 1) return lines;
    text = *rest;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto lines = lines_of({reinterpret_cast<const char*>(data), size});
  if (lines.size() < 2) return 0;
  const std::string_view authority = lines[lines.size() - 2];
  const std::string_view path = lines.back();
  std::vector<conf::RouteSettings> settings;
  bool has_all = false;
  for (size_t i = 0; i + 2 < lines.size(); ++i) {
    const auto [host, prefix] = cut(lines[i], ' ');
    conf::RouteSettings& route = settings.emplace_back();
    route.host = host;
    route.path = prefix.value_or("/");
    if (route.host.starts_with('~')) route.host = "*";
    has_all = has_all || (route.host == "*" && (route.path == "/" || route.path.empty()));
  }
  const routing::RouteTable table(settings);
  const routing::Route* found = table.find(authority, path);
  if (has_all && !found) std::abort();
  if (!found) return 0;
  const std::string_view plain = cut(path, '?').first;
  const bool origin = plain.starts_with('/');
  if (origin && !protocol::normalise_path(plain).starts_with(found->path)) std::abort();
  if (found->host != "*" && !found->host.starts_with("*.") && !found->host.ends_with(".*") &&
      authority.size() < found->host.size()) {
    std::abort();
  }
  return 0;
}
