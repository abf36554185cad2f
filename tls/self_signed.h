// A certificate of our own for a first start without one: browsers warn, everything else works.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace usher::tls {

struct PemPair {
  std::string chain;
  std::string key;
};

// ECDSA P-256, for localhost, this machine's name and the loopback addresses; valid for 397 days.
Result<PemPair> make_self_signed(WallTime now);

// The pair kept in `directory`, made and written there (key readable by its owner only) if it is
// missing, unreadable or within 30 days of its end. If the directory cannot be written, a pair that
// lives in memory; `kept` says which.
struct KeptPair {
  PemPair pem;
  bool kept = false;
  bool made = false;
  std::string why_not;  // when it could not be kept
};
Result<KeptPair> load_or_make_self_signed(const std::string& directory, WallTime now);

}  // namespace usher::tls
