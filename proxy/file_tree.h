// The files below one folder, and nothing else of the machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "proxy/static_file.h"

namespace usher::proxy {

// What stands at a path.
struct Found {
  enum class Kind : uint8_t {
    nothing,
    forbidden,  // there, but not to be read
    broken,     // the machine is in trouble
    folder,
    file,
  };
  Kind kind = Kind::nothing;
  std::optional<StaticFile> file;
};

class FileTree final {
 public:
  // Links in the folder's own path are followed.
  explicit FileTree(const std::string& folder);

  // `path` is decoded, and begins with "/"; one that ends in "/" names a folder. Symbolic links are
  // followed as long as they are relative and stay below the folder; where the kernel cannot see to
  // that (openat2(2), Linux 5.6), none is. No name that begins with "." is found but ".well-known"
  // (RFC 8615). Only regular files and folders are; never waits for a pipe or a device.
  Found look(std::string_view path) const;

 private:
  Fd open_below(const std::string& path) const;
  Fd open_without_links(std::string_view path) const;

  Fd folder_;
};

}  // namespace usher::proxy
