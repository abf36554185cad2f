#include "protocol/basic_credentials.h"

#include <gtest/gtest.h>

namespace usher::protocol {
namespace {

TEST(BasicCredentials, AreReadFromTheField) {
  struct Row {
    const char* field;
    const char* name;
    const char* password;
  };
  const Row rows[] = {{"Basic am9lOnNlY3JldA==", "joe", "secret"},
                      {"basic   am9lOnNlY3JldA", "joe", "secret"},
                      {"BASIC am9lOg==", "joe", ""},
                      {"Basic am9lOmE6Yg==", "joe", "a:b"},
                      {"Basic w6Q6w7Y=", "\xc3\xa4", "\xc3\xb6"}};
  for (const Row& row : rows) {
    const auto given = parse_basic_credentials(row.field);
    ASSERT_TRUE(given) << row.field;
    EXPECT_EQ(given->name, row.name);
    EXPECT_EQ(given->password, row.password);
  }
}

TEST(BasicCredentials, OfAnotherSchemeOrMalformedAreNone) {
  for (const char* field :
       {"", "Basic", "Basic ", "Bearer am9lOnNlY3JldA==", "Basicam9lOnNlY3JldA==", "Basic am9l",
        "Basic OnNlY3JldA==", "Basic am9lOnNl!3JldA==", "Basic am9lOnMAZWNyZXQ=",
        "Digest username=joe"}) {
    EXPECT_FALSE(parse_basic_credentials(field)) << field;
  }
}

TEST(BasicCredentials, AreAskedForWithTheRealmQuoted) {
  EXPECT_EQ(make_basic_challenge("Open WebUI"), "Basic realm=\"Open WebUI\"");
  EXPECT_EQ(make_basic_challenge("a \"b\" \\c"), "Basic realm=\"a \\\"b\\\" \\\\c\"");
}

}  // namespace
}  // namespace usher::protocol
