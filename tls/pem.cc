#include "tls/pem.h"

namespace usher::tls {
namespace {

constexpr size_t most_of_a_file = size_t{1} << 20;

}  // namespace

Error bad_file(const Files& files, const std::string& path, std::string_view what) {
  return {Errc::bad_config, Side::usher, files.called(path) + ": " + std::string(what)};
}

Result<std::string> read_pem_file(const Files& files, const std::string& path) {
  auto text = files.read(path);
  if (!text) return bad_file(files, path, text.error().detail);
  if (text->size() > most_of_a_file) return bad_file(files, path, "is too large for a PEM file");
  return text;
}

}  // namespace usher::tls
