// The cookie that a client is known by: "v1.<client>.<replica>.<epoch>.<mac>", every part base64url
// or decimal. It says which replica is the client's home without showing an address, so that a node
// that has lost the store can still route; and it is signed, so that a forged one is as good as
// none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/strings.h"
#include "routing/affinity_store.h"
#include "routing/replica.h"

namespace usher::routing {

// HMAC-SHA-256, given in by whoever wires the process (only tls/ knows OpenSSL).
using Mac = std::array<uint8_t, 32> (*)(std::span<const uint8_t> key, std::string_view data);

// The secrets that sign cookies: the first signs, all of them are believed (rotation). At least
// one.
struct AffinitySecrets {
  std::vector<std::string> secrets;
};

struct CookieContent {
  std::string client;       // random, 22 characters
  std::string replica_tag;  // a keyed hash of the replica's id
  uint64_t epoch = 0;
  bool renew =
      false;  // signed with a secret that is on its way out: the client should get a new one
};

// One a worker, not shared between threads: it remembers the tags of the replicas that it has met.
class AffinityCookies final {
 public:
  AffinityCookies(Mac mac, AffinitySecrets secrets);

  static std::string new_client_id();

  std::string seal(std::string_view client, const Binding& binding) const;
  // Nothing for a value that is malformed, too long, or not signed with one of our secrets.
  std::optional<CookieContent> open(std::string_view value) const;
  // Does the cookie name this replica?
  bool names(const CookieContent& content, std::string_view replica_id) const;
  // The replica of upstream that the cookie names, if it is (still) there.
  const Replica* replica_of(const CookieContent& content, const Upstream& upstream) const;

 private:
  // A replica's tags, one for each secret.
  using Tags = std::vector<std::string>;

  const Tags& tags_of(std::string_view replica_id) const;
  std::string tag_of(std::string_view secret, std::string_view replica_id) const;
  std::string sign(std::string_view secret, std::string_view body) const;

  Mac mac_;
  AffinitySecrets secrets_;
  mutable std::unordered_map<std::string, Tags, StringHash, std::equal_to<>> tags_;
};

}  // namespace usher::routing
