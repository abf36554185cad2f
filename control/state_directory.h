// What a node keeps over a restart: its self-signed certificate, the affinity secret it proposes,
// which replicas drain.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace usher::control {

class StateDirectory final {
 public:
  // The configured directory, else $STATE_DIRECTORY (systemd), else /var/lib/usher if it can be
  // written, else ~/.local/state/usher. Made if it is missing.
  static StateDirectory find(const std::string& configured);

  const std::string& path() const { return path_; }
  // Empty if all is well, else why nothing can be kept.
  const std::string& problem() const { return problem_; }

  // The secret kept here, or a new one (32 random bytes, base64url), kept if that is possible.
  std::string affinity_secret() const;
  void keep_affinity_secret(const std::string& secret) const;

  // A small file for its owner only, replaced as a whole. Empty: there is none, or it cannot be
  // read.
  std::string read(std::string_view name) const;
  void keep(std::string_view name, std::string_view text) const;

 private:
  std::string path_;
  std::string problem_;
};

}  // namespace usher::control
