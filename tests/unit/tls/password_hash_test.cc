#include "tls/password_hash.h"

#include <gtest/gtest.h>

namespace usher::tls {
namespace {

// What `openssl passwd -apr1` makes.
TEST(PasswordHash, Apr1IsThatOfOpenssl) {
  struct Row {
    const char* password;
    const char* salt;
    const char* hash;
  };
  const Row rows[] = {
      {"", "x", "$apr1$x$tMwYqBfQwi3FYAr0aJc8M/"},
      {"", "12345678", "$apr1$12345678$sHuPAw7VA9xjRbJz7zKV7/"},
      {"a", "12345678", "$apr1$12345678$68ZQVfPkWX/wcXr/41VxQ."},
      {"secret", "x", "$apr1$x$12YdXEY0/hH4rDNkmZupO0"},
      {"secret", "12345678", "$apr1$12345678$0lqb/6VUFP8JY/s/jTrIk0"},
      {"p\xc3\xa4ssw\xc3\xb6rd", "x", "$apr1$x$Kzn.cSDdCrYQZfFg5UXZM."},
      {"a password that is much longer than sixteen characters", "12345678",
       "$apr1$12345678$gmzs2G2EqZv/po89fztXO1"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(apr1(row.password, row.salt), row.hash);
    EXPECT_TRUE(matches(row.hash, row.password)) << row.hash;
    EXPECT_FALSE(matches(row.hash, std::string(row.password) + "x")) << row.hash;
  }
  EXPECT_EQ(apr1("secret", "123456789"), apr1("secret", "12345678")) << "eight of the salt count";
}

constexpr const char* of_secret[] = {
    "{PLAIN}secret",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
    "$apr1$x$12YdXEY0/hH4rDNkmZupO0",
    "$1$EcpoBfPb$moky0BV59tvfhyuf.pQfx.",
    "$5$rounds=1000$6Z/dGxeRXWFbLRdL$y5LBO/JDgISMOCb5x/m06p3QIHEGZRDoto.A8lge.y4",
    ("$6$rounds=1000$0Y.WkPzIMKO0sOrh$McNSwpCW9eZD7ZrXzT3Z4YVyelu7PdQQxIuAnFt.ua2v.Yn."
     "H81dtW6shsKCAhhNKJYWNKh7Gjxk9OO.KsK7V/"),
    "$2b$04$YBE9NWmi15MSy2ZbnnY1mO0IuR7wmrnjRN2c8ObLqWVZgseCYV5FG",
    "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "$y$j75$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01",
    "XmN6pwFyy3Il2",
};

TEST(PasswordHash, OfEachKindMatchesItsPasswordAlone) {
  for (const char* hash : of_secret) {
    EXPECT_TRUE(is_known_hash(hash)) << hash;
    EXPECT_TRUE(matches(hash, "secret")) << hash;
    for (const char* wrong : {"", "Secret", "secre", "secret2", "{PLAIN}secret"})
      EXPECT_FALSE(matches(hash, wrong)) << hash << " " << wrong;
    EXPECT_FALSE(matches(hash, hash)) << "the hash is not the password";
  }
}

TEST(PasswordHash, OfNoKindMatchesNothing) {
  for (const char* hash : {"", "*", "!", "secret", "$apr1$", "$apr1$x$short", "{SHA}", "{SHA}!!",
                           "{SSHA}gVK8", "$9$nothing$like", "{CRYPT}$1$EcpoBfPb$x"}) {
    EXPECT_FALSE(is_known_hash(hash)) << hash;
    for (const char* password : {"", "secret", "*", "!"})
      EXPECT_FALSE(matches(hash, password)) << hash;
  }
  EXPECT_FALSE(matches("$2y$04$abc", "secret")) << "a salt that is too short";
}

TEST(PasswordHash, NoPasswordIsCutShort) {
  const std::string longest(longest_password, 'x');
  EXPECT_TRUE(matches("{PLAIN}" + longest, longest));
  EXPECT_TRUE(matches(apr1(longest, "x"), longest));
  EXPECT_FALSE(matches("{PLAIN}" + longest + "x", longest + "x"));
}

}  // namespace
}  // namespace usher::tls
