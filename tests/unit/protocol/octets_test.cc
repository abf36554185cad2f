#include "protocol/octets.h"

#include <gtest/gtest.h>

#include <string>

namespace usher::protocol {
namespace {

TEST(Octets, MayStandInAFieldValueWhereverTheyStand) {
  for (int octet = 0; octet < 256; ++octet) {
    const bool allowed = octet == '\t' || (octet >= 0x20 && octet != 0x7f);
    for (size_t size = 1; size < 20; ++size) {
      for (size_t at = 0; at < size; ++at) {
        std::string text(size, '\xff');
        text[at] = static_cast<char>(octet);
        ASSERT_EQ(is_field_value(text), allowed) << octet << " at " << at << " of " << size;
        text.assign(size, '\t');
        text[at] = static_cast<char>(octet);
        ASSERT_EQ(is_field_value(text), allowed) << octet << " at " << at << " of " << size;
      }
    }
  }
  EXPECT_TRUE(is_field_value(""));
}

TEST(Octets, HaveTheClassesOfTheGrammar) {
  for (int value = 0; value < 256; ++value) {
    const auto octet = static_cast<char>(value);
    const bool alphanumeric = (value >= '0' && value <= '9') || (value >= 'a' && value <= 'z') ||
                              (value >= 'A' && value <= 'Z');
    const auto one_of = [&](std::string_view set) { return set.find(octet) != set.npos; };
    EXPECT_EQ(is_octet(octet, token_octet), alphanumeric || one_of("!#$%&'*+-.^_`|~")) << value;
    EXPECT_EQ(is_octet(octet, authority_octet), alphanumeric || one_of("-._~!$&'()*+,;=")) << value;
    EXPECT_EQ(is_octet(octet, hex_octet), one_of("0123456789abcdefABCDEF")) << value;
    EXPECT_EQ(is_octet(octet, target_octet), value > 0x20 && value < 0x7f && value != '#') << value;
    EXPECT_EQ(is_octet(octet, quoted_octet),
              value == '\t' || (value >= 0x20 && value != 0x7f && value != '"' && value != '\\'))
        << value;
  }
}

}  // namespace
}  // namespace usher::protocol
