#include "base/seeded_hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

namespace usher {
namespace {

// Vector n of the reference set is the hash of the bytes 0, 1, …, n - 1 under the key 00 01 … 0f
// (test_siphash_1_3 in the tests of Rust's core library).
TEST(SipHash, GivesThePublishedVectors) {
  SipKey key;
  std::iota(key.begin(), key.end(), uint8_t{0});
  std::string text(64, '\0');
  std::iota(text.begin(), text.end(), '\0');
  const struct {
    size_t length;
    uint64_t hash;
  } vectors[] = {{0, 0xabac0158050fc4dc},  {1, 0xc9f49bf37d57ca93},  {2, 0x82cb9b024dc7d44d},
                 {7, 0xd3927d989bb11140},  {8, 0x369095118d299a8e},  {9, 0x25a48eb36c063de4},
                 {15, 0xd320d86d2a519956}, {16, 0xcc4fdd1a7d908b66}, {31, 0x2370dd1f8c21d1bc},
                 {32, 0x81157b6c16a7b60d}, {63, 0x9d199062b7bbb3a8}};
  for (const auto& each : vectors)
    EXPECT_EQ(sip_hash(key, std::string_view(text).substr(0, each.length)), each.hash)
        << each.length;
}

TEST(SeededHash, FindsByViewInAMapOfStrings) {
  const std::unordered_map<std::string, int, SeededHash, std::equal_to<>> numbers{{"a", 1},
                                                                                  {"b", 2}};
  EXPECT_EQ(numbers.find(std::string_view("b"))->second, 2);
  EXPECT_EQ(numbers.find(std::string_view("c")), numbers.end());
}

TEST(SeededHash, EachTableHasItsOwnKey) {
  EXPECT_NE(SeededHash()("a client's key"), SeededHash()("a client's key"));
}

template <typename Map>
size_t longest_bucket(const Map& map) {
  size_t longest = 0;
  for (size_t i = 0; i < map.bucket_count(); ++i)
    longest = std::max(longest, map.bucket_size(i));
  return longest;
}

// libstdc++ hashes strings with a seed that stands in its source: a client can look for keys that
// share a bucket of a table, whose sizes are known too. Here the table itself is asked for them.
TEST(SeededHash, SpreadsKeysThatWereChosenToCollide) {
  constexpr size_t wanted = 200;
  const size_t buckets = std::unordered_map<std::string, int>(wanted * 8).bucket_count();
  std::vector<std::string> chosen;
  for (int i = 0; chosen.size() < wanted; ++i) {
    std::string key = "10.0." + std::to_string(i);
    if (std::hash<std::string>()(key) % buckets == 0) chosen.push_back(std::move(key));
  }
  std::unordered_map<std::string, int> plain(wanted * 8);
  std::unordered_map<std::string, int, SeededHash, std::equal_to<>> seeded(wanted * 8);
  for (const std::string& key : chosen) {
    plain.emplace(key, 0);
    seeded.emplace(key, 0);
  }
  EXPECT_EQ(longest_bucket(plain), wanted);
  EXPECT_LT(longest_bucket(seeded), 16u);
}

}  // namespace
}  // namespace usher
