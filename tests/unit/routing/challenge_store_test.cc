#include "routing/challenge_store.h"

#include <gtest/gtest.h>

namespace usher::routing {
namespace {

TEST(ChallengeToken, IsBase64urlAndShort) {
  EXPECT_TRUE(is_challenge_token("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"));
  EXPECT_TRUE(is_challenge_token("a-b_c"));
  EXPECT_TRUE(is_challenge_token(std::string(128, 'a')));
  for (const std::string text : {"", "a.b", "a/b", "a=", "a b", "../a", "\xc3\xa9"})
    EXPECT_FALSE(is_challenge_token(text)) << text;
  EXPECT_FALSE(is_challenge_token(std::string(129, 'a')));
}

TEST(KeyAuthorization, IsTheTokenAndAThumbprint) {
  EXPECT_TRUE(is_key_authorization("token", "token.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"));
  for (const std::string text :
       {"token", "token.", "other.x", ".x", "token.x.y", "token.x\r\n", "token.<b>"})
    EXPECT_FALSE(is_key_authorization("token", text)) << text;
  EXPECT_FALSE(is_key_authorization("token", "token." + std::string(129, 'a')));
  EXPECT_FALSE(is_key_authorization("", ".x"));
}

}  // namespace
}  // namespace usher::routing
