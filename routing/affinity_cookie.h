// The cookie that a client is known by: "v1.<client>.<replica>.<epoch>.<mac>", every part base64url
// or decimal. It says which replica is the client's home without showing an address, so that a node
// that has lost the store can still route; and it is signed, so that a forged one is as good as
// none.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
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

// HMAC-SHA-256 under a key, and what makes one: given in by whoever wires the process (only tls/
// knows OpenSSL). A Mac belongs to one thread.
using Mac = std::function<std::array<uint8_t, 32>(std::string_view data)>;
using MakeMac = Mac (*)(std::span<const uint8_t> key);

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

// One a worker, not shared between threads: it remembers the tags of the replicas that it has met,
// and some of the cookies, since a browser says the same one with each request.
class AffinityCookies final {
 public:
  AffinityCookies(MakeMac make_mac, const AffinitySecrets& secrets);

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
  struct Opened {
    std::string value;
    CookieContent content;
  };

  std::optional<CookieContent> verify(std::string_view value) const;
  const Tags& tags_of(std::string_view replica_id) const;

  std::vector<Mac> macs_;  // one for each secret, in their order
  mutable std::unordered_map<std::string, Tags, StringHash, std::equal_to<>> tags_;
  // Only what was verified stands here, each cookie in the slot that its hash names.
  mutable std::vector<Opened> opened_;
};

}  // namespace usher::routing
