// The names and the hashes of one file of htpasswd. Immutable.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/strings.h"

namespace usher::proxy {

class PasswordFile final {
 public:
  static constexpr size_t most_bytes = size_t{4} << 20;

  // Lines "name:hash" and "name:hash:comment"; those that begin with "#", and those without a name
  // or a hash, say nothing. Of a name that stands there twice the first line counts.
  explicit PasswordFile(std::string_view text);
  PasswordFile(const PasswordFile&) = delete;
  PasswordFile& operator=(const PasswordFile&) = delete;

  struct Found {
    const std::string& hash;
    bool known;
  };
  // What is kept of that name. Of a name that is not there, and so without a match, one of the
  // others, always the same: to refuse it takes as long.
  Found find(std::string_view name) const;

  size_t size() const { return hashes_.size(); }
  // Whose hash no password can match.
  const std::vector<std::string>& unusable() const { return unusable_; }

 private:
  std::unordered_map<std::string, std::string, StringHash, std::equal_to<>> hashes_;
  std::vector<const std::string*> all_;  // of hashes_
  std::vector<std::string> unusable_;
};

// The files of all routes, by path.
using PasswordFiles = std::unordered_map<std::string, std::shared_ptr<const PasswordFile>>;

}  // namespace usher::proxy
