// What `usher status`, `drain`, `undrain`, `reload` and the like do: one request to a running
// usher's admin listener.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace usher::control {

struct AdminAnswer {
  uint16_t status = 0;
  std::string body;
};

// `url` is "http://host:port" or "unix:/path". Waits at most 10 seconds. `token`: that of the
// settings; or empty.
Result<AdminAnswer> ask_admin(const std::string& url, const std::string& token,
                              std::string_view method, std::string_view path,
                              std::string_view body = {});

// Any text as one segment of a path: all but unreserved characters as "%XX" (RFC 3986 section 2.1).
std::string as_segment(std::string_view text);

// What an answer of another status than 200 says; the whole body if that is not one of usher's.
std::string refusal_in(std::string_view body);

// The body of GET /api/status as a table for people.
Result<std::string> status_table(std::string_view json);

}  // namespace usher::control
