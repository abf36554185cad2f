#include "proxy/password_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

TEST(PasswordFile, HasNamesWithTheirHashes) {
  const PasswordFile file(
      "# people\n\njoe:{PLAIN}a\nann:{PLAIN}b:of the house\r\n:{PLAIN}c\nnobody\nempty:\n"
      "joe:{PLAIN}d\nlast:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
  EXPECT_EQ(file.size(), 3U);
  struct Row {
    const char* name;
    const char* hash;
  };
  for (const Row& row : {Row{"joe", "{PLAIN}a"}, Row{"ann", "{PLAIN}b"},
                         Row{"last", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}}) {
    const auto found = file.find(row.name);
    EXPECT_TRUE(found.known) << row.name;
    EXPECT_EQ(found.hash, row.hash);
  }
  EXPECT_THAT(file.unusable(), testing::IsEmpty());
}

TEST(PasswordFile, HasForAStrangerTheHashOfSomebodyElse) {
  const PasswordFile file("joe:{PLAIN}a\nann:{PLAIN}b\n");
  for (const char* stranger : {"Joe", "", "bob", "joe "}) {
    const auto found = file.find(stranger);
    EXPECT_FALSE(found.known) << stranger;
    EXPECT_THAT(found.hash, testing::AnyOf("{PLAIN}a", "{PLAIN}b"));
    EXPECT_EQ(&found.hash, &file.find(stranger).hash) << "the same each time";
  }
  EXPECT_FALSE(PasswordFile("").find("joe").known);
}

TEST(PasswordFile, NamesThoseWhoCannotLogIn) {
  const PasswordFile file("joe:secret\nann:{PLAIN}b\nbob:$9$x$y\n");
  EXPECT_THAT(file.unusable(), testing::ElementsAre("joe", "bob"));
}

}  // namespace
}  // namespace usher::proxy
