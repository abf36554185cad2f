#include "proxy/file_types.h"

#include "base/strings.h"

namespace usher::proxy {
namespace {

constexpr std::string_view usual[] = {
    "text/html html htm shtml",
    "text/css css",
    "text/javascript js mjs",
    "text/plain txt log",
    "text/markdown md",
    "text/csv csv",
    "text/vtt vtt",
    "application/json json map",
    "application/manifest+json webmanifest",
    "application/xml xml",
    "application/rss+xml rss",
    "application/pdf pdf",
    "application/wasm wasm",
    "application/zip zip",
    "application/gzip gz",
    "image/svg+xml svg svgz",
    "image/png png",
    "image/jpeg jpg jpeg",
    "image/gif gif",
    "image/x-icon ico",
    "image/webp webp",
    "image/avif avif",
    "font/woff woff",
    "font/woff2 woff2",
    "font/ttf ttf",
    "font/otf otf",
    "audio/mpeg mp3",
    "audio/ogg ogg",
    "video/mp4 mp4",
    "video/webm webm",
};

// As nginx cuts it: a name that begins with its only dot has no ending.
std::string_view ending_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? std::string_view() : name.substr(dot + 1);
}

}  // namespace

FileTypes::FileTypes(const std::vector<conf::TypesSettings>& settings) {
  for (const std::string_view entry : usual)
    add(sets_[""], entry);
  for (const conf::TypesSettings& set : settings) {
    for (const std::string& entry : set.entries)
      add(sets_[set.name], entry);
  }
}

// Of an ending that comes twice the last counts, as with nginx.
void FileTypes::add(Endings& endings, std::string_view entry) {
  const auto words = split_list(entry, ' ');
  for (size_t i = 1; i < words.size(); ++i)
    endings[to_lower(words[i])] = words.front();
}

std::string_view FileTypes::type_of(std::string_view set, std::string_view path) const {
  const auto endings = sets_.find(set);
  if (endings == sets_.end()) return {};
  const auto found = endings->second.find(to_lower(ending_of(path)));
  return found == endings->second.end() ? std::string_view() : found->second;
}

}  // namespace usher::proxy
