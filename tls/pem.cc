#include "tls/pem.h"

#include <fstream>

namespace usher::tls {
namespace {

constexpr size_t most_of_a_file = size_t{1} << 20;

}  // namespace

Result<std::string> read_pem_file(const std::string& path) {
  const auto bad = [&path](const char* what) {
    return Error{Errc::bad_config, Side::usher, path + ": " + what};
  };
  std::ifstream in(path, std::ios::binary);
  if (!in) return bad("cannot be read");
  std::string text(most_of_a_file + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return bad("cannot be read");
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > most_of_a_file) return bad("is too large for a PEM file");
  return text;
}

}  // namespace usher::tls
