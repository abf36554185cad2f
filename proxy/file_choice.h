// Which file answers a request, or where it is to be asked for instead: try_files and index, as
// nginx decides it. A pure decision; what it asks about is given to it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "conf/settings.h"
#include "proxy/file_tree.h"

namespace usher::proxy {

// How it sees the world.
struct FileView {
  std::function<Found(const std::string& path)> look;  // below the route's folder
  std::function<std::string(const conf::Template&)> expand;
  bool refuses = false;  // the method: 405 for every path, whether something is there or not
};

struct FileChoice {
  enum class Kind : uint8_t {
    file,
    folder,     // which was asked for without its "/"
    elsewhere,  // the request goes on with another path
    named,      // it goes on at a named route
    status,
  };
  Kind kind = Kind::status;
  uint16_t status = 404;
  std::string path{};  // the file's, the folder's with its "/", the other one, "@name"
  std::optional<std::string> query{};  // of the other path; nothing: the request's own
  std::optional<StaticFile> file{};
};

// Where a path of the URL lies below the folder that files are looked for in.
class FilePlace final {
 public:
  FilePlace(const conf::RouteSettings& rules,
            const std::function<std::string(const conf::Template&)>& expand);

  // What no variable and no path can lead out of.
  const std::string& folder() const { return folder_; }
  std::string below(const std::string& path) const;
  // What a file of try_files is called in the URL; a text without variables names one below the
  // folder of an alias.
  std::string path_of(const std::string& text, bool has_variables) const;

 private:
  const conf::RouteSettings& rules_;
  std::string folder_;
  std::string rest_;  // of root or alias, behind the folder
  bool is_alias_;
  bool is_whole_;  // an expression's alias
};

// `path` is decoded and normalised. Looks at most once for each of try_files and of index, and
// twice more.
FileChoice choose_file(const conf::RouteSettings& rules, const FilePlace& place,
                       const std::string& path, const FileView& view);

}  // namespace usher::proxy
