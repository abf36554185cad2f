#include "bench/head.h"

#include <strings.h>

#include <charconv>

#include "bench/fail.h"

namespace usher::bench {

size_t head_length(std::string_view bytes) {
  size_t end = bytes.find("\r\n\r\n");
  return end == std::string_view::npos ? 0 : end + 4;
}

std::optional<std::string_view> field(std::string_view head, std::string_view name) {
  for (size_t end = head.find("\r\n"); end != std::string_view::npos;) {
    size_t begin = end + 2;
    end = head.find("\r\n", begin);
    std::string_view line = head.substr(begin, end - begin);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (::strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
    line.remove_prefix(name.size() + 1);
    while (!line.empty() && line.front() == ' ')
      line.remove_prefix(1);
    return line;
  }
  return {};
}

std::optional<size_t> content_length(std::string_view head) {
  auto text = field(head, "content-length");
  if (!text) return {};
  size_t length = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length);
  if (error != std::errc() || end != text->data() + text->size()) {
    fail("Content-Length: " + std::string(*text));
  }
  return length;
}

}  // namespace usher::bench
