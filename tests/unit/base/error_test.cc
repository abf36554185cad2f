#include "base/error.h"

#include <gtest/gtest.h>

#include <set>

#include "base/result.h"

namespace usher {
namespace {

TEST(Errors, HaveOneRowEachWithANameOfItsOwn) {
  std::set<std::string_view> names;
  for (auto code = 0; code < static_cast<int>(error_codes); ++code) {
    const auto& row = row_of(static_cast<Errc>(code));
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.status == 0 || (row.status >= 400 && row.status < 600)) << row.name;
    EXPECT_EQ(row.status == 0, row.client_text.empty()) << row.name;
  }
}

TEST(Errors, HaveTheStatusThatClientsKnow) {
  for (const auto& [code, status] : {std::pair{Errc::bad_request, 400},
                                     {Errc::head_too_large, 431},
                                     {Errc::uri_too_long, 414},
                                     {Errc::body_too_large, 413},
                                     {Errc::head_timeout, 408},
                                     {Errc::expectation_failed, 417},
                                     {Errc::not_implemented, 501},
                                     {Errc::version_not_supported, 505},
                                     {Errc::no_replica, 503},
                                     {Errc::connect_refused, 502},
                                     {Errc::first_byte_timeout, 504},
                                     {Errc::replica_bad_response, 502},
                                     {Errc::too_many_connections, 429}}) {
    EXPECT_EQ(row_of(code).status, status) << name_of(code);
  }
}

TEST(Errors, OfTheClientAreNeverTriedAgain) {
  for (auto code = 0; code < static_cast<int>(Errc::connect_refused); ++code) {
    EXPECT_EQ(row_of(static_cast<Errc>(code)).retry, Retry::never)
        << name_of(static_cast<Errc>(code));
  }
}

TEST(Errors, AreWrittenWithTheirDetail) {
  EXPECT_EQ(to_string(Error{Errc::connect_refused, Side::replica, "10.0.0.3:8080"}),
            "connect_refused: 10.0.0.3:8080");
  EXPECT_EQ(to_string(Error{Errc::idle, Side::client, ""}), "idle");
  EXPECT_EQ(name_of(Side::replica), "replica");
}

TEST(Result, HoldsAValueOrAnError) {
  Result<std::string> good = std::string("text");
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, "text");
  EXPECT_EQ(good->size(), 4u);
  EXPECT_EQ(std::move(good).value(), "text");
  const Result<std::string> bad = Error{Errc::idle, Side::client, "why"};
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().detail, "why");
  const Outcome fine;
  EXPECT_TRUE(fine.ok());
  const Outcome failed = Error{Errc::system, Side::usher, ""};
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::system);
}

}  // namespace
}  // namespace usher
