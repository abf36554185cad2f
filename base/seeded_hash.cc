#include "base/seeded_hash.h"

namespace usher {
namespace {

constexpr uint64_t rotate_left(uint64_t word, int by) { return word << by | word >> (64 - by); }

// Of up to eight bytes, the first one in the lowest place.
uint64_t word_of(const void* bytes, size_t count) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  uint64_t word = 0;
  for (size_t i = 0; i < count; ++i)
    word |= uint64_t{from[i]} << (8 * i);
  return word;
}

struct SipState {
  uint64_t a, b, c, d;

  void round() {
    a += b;
    b = rotate_left(b, 13) ^ a;
    a = rotate_left(a, 32);
    c += d;
    d = rotate_left(d, 16) ^ c;
    a += d;
    d = rotate_left(d, 21) ^ a;
    c += b;
    b = rotate_left(b, 17) ^ c;
    c = rotate_left(c, 32);
  }
  void take(uint64_t word) {
    d ^= word;
    round();
    a ^= word;
  }
};

}  // namespace

uint64_t sip_hash(const SipKey& key, std::string_view text) {
  const uint64_t low = word_of(key.data(), 8);
  const uint64_t high = word_of(key.data() + 8, 8);
  SipState state{low ^ 0x736f6d6570736575, high ^ 0x646f72616e646f6d, low ^ 0x6c7967656e657261,
                 high ^ 0x7465646279746573};
  const uint64_t last = uint64_t{text.size()} << 56;
  while (text.size() >= 8) {
    state.take(word_of(text.data(), 8));
    text.remove_prefix(8);
  }
  state.take(last | word_of(text.data(), text.size()));
  state.c ^= 0xff;
  for (int i = 0; i < 3; ++i)
    state.round();
  return state.a ^ state.b ^ state.c ^ state.d;
}

}  // namespace usher
