// What a node keeps over a restart: its self-signed certificate, copies of the certificates that it
// was last given, the affinity secret it proposes, which replicas drain. Its owner's alone (0700).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace usher::control {

class StateDirectory final {
 public:
  // The configured directory, else $STATE_DIRECTORY (systemd), else /var/lib/usher if it can be
  // written, else ~/.local/state/usher. Made if it is missing; one that lies in a usual place is
  // made its owner's alone.
  static StateDirectory find(const std::string& configured);

  // As root, before this process becomes another user: the directory that find() would take belongs
  // to that user from now on, if it is usher's own. One that is there and holds other things is
  // left alone.
  static void hand_over(const std::string& configured, uid_t uid, gid_t gid);

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
  // The names of such files that begin so.
  std::vector<std::string> names(std::string_view prefix) const;
  void drop(std::string_view name) const;

 private:
  std::string path_;
  std::string problem_;
};

}  // namespace usher::control
