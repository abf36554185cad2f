#include "tls/plain_http.h"

#include <algorithm>

#include "base/strings.h"

namespace usher::tls {
namespace {

constexpr size_t longest_host = 255;

// Of a name, an address and a port alone: it goes into a text that a browser shows.
bool is_plain(std::string_view host) {
  return !host.empty() && host.size() <= longest_host && std::ranges::all_of(host, [](char c) {
    const char lower = static_cast<char>(c | 0x20);
    return is_digit(c) || (lower >= 'a' && lower <= 'z') ||
           std::string_view("-.:[]").find(c) != std::string_view::npos;
  });
}

std::string_view host_in(std::string_view received) {
  constexpr std::string_view name = "host:";
  for (auto rest = std::optional(received); rest;) {
    const auto [line, after] = cut(*rest, '\n');
    rest = after;
    if (!starts_with_ignoring_case(line, name)) continue;
    std::string_view value = line.substr(name.size());
    if (value.ends_with('\r')) value.remove_suffix(1);
    value = trim(value);
    return is_plain(value) ? value : std::string_view();
  }
  return {};
}

}  // namespace

std::string answer_to_plain_http(std::string_view received) {
  const std::string_view host = host_in(received);
  std::string body = "This port speaks https";
  if (!host.empty()) body.append(": open https://").append(host).append("/");
  body += "\n";
  return "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace usher::tls
