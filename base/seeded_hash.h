// The hash of tables whose keys clients choose. Each table has a random key of its own, so a client
// cannot prepare keys that share a bucket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/random.h"

namespace usher {

using SipKey = std::array<uint8_t, 16>;

// SipHash-1-3 (Aumasson and Bernstein, 2012): one round for each word and three at the end, as in
// the hash tables of Rust, Python and Ruby.
uint64_t sip_hash(const SipKey& key, std::string_view text);

// For unordered containers; takes std::string and std::string_view. Not noexcept on purpose: then
// libstdc++ keeps a node's hash beside it, and a lookup hashes one key instead of a bucket's.
class SeededHash final {
 public:
  using is_transparent = void;

  SeededHash() : key_(random_bytes<16>()) {}
  size_t operator()(std::string_view text) const {
    return static_cast<size_t>(sip_hash(key_, text));
  }
  size_t operator()(int32_t number) const {
    return (*this)(std::string_view(reinterpret_cast<const char*>(&number), sizeof number));
  }

 private:
  SipKey key_;
};

}  // namespace usher
