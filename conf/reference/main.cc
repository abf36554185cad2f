// conf_reference REPOSITORY writes usher.toml and docs/settings.md there.

#include "conf/reference/reference.h"

#include <cstdio>
#include <fstream>

namespace {

bool write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  std::printf("%s %s\n", file ? "wrote" : "cannot write", path.c_str());
  return static_cast<bool>(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: conf_reference REPOSITORY\n", stderr);
    return 2;
  }
  const std::string root = std::string(argv[1]) + "/";
  const bool toml = write(root + "usher.toml", usher::conf::reference_toml());
  const bool markdown = write(root + "docs/settings.md", usher::conf::reference_markdown());
  return toml && markdown ? 0 : 1;
}
