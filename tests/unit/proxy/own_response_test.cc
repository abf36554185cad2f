#include "proxy/own_response.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace usher::proxy {
namespace {

protocol::RequestHead request(std::string_view method, std::string_view target,
                              std::string_view accept) {
  protocol::RequestHead head;
  head.method = method;
  head.target = target;
  if (!accept.empty()) head.headers.append("Accept", accept);
  return head;
}

TEST(OwnResponse, IsAPageForNavigationsAndJsonForEverythingElse) {
  constexpr std::string_view browser = "text/html,application/xhtml+xml,*/*;q=0.8";
  EXPECT_TRUE(wants_page(request("GET", "/", browser)));
  EXPECT_TRUE(wants_page(request("GET", "/c/1234?x=y", browser)));
  EXPECT_TRUE(wants_page(request("HEAD", "/", browser)));
  EXPECT_FALSE(wants_page(request("POST", "/", browser)));
  EXPECT_FALSE(wants_page(request("GET", "/api/config", browser)));
  EXPECT_FALSE(wants_page(request("GET", "/ws/socket.io/?EIO=4", browser)));
  EXPECT_FALSE(wants_page(request("GET", "/ollama/api/tags", browser)));
  EXPECT_FALSE(wants_page(request("GET", "/", "application/json")));
  EXPECT_FALSE(wants_page(request("GET", "/", "*/*")));
  EXPECT_FALSE(wants_page(request("GET", "/", "")));
}

TEST(OwnResponse, SaysWhatOpenWebUisPageShows) {
  const OwnResponse response = make_error_response(Errc::body_too_large, false);
  EXPECT_EQ(response.head.status, 413);
  EXPECT_EQ(response.head.headers.get("Content-Type"), "application/json");
  EXPECT_EQ(response.body, R"({"detail":"The upload is too large."})");
  EXPECT_EQ(response.head.body.length, response.body.size());
  EXPECT_FALSE(response.head.headers.has("Retry-After"));
}

TEST(OwnResponse, WaitingPageTriesAgainByItself) {
  const OwnResponse response = make_error_response(Errc::no_replica, true);
  EXPECT_EQ(response.head.status, 503);
  EXPECT_EQ(response.head.headers.get("Retry-After"), "3");
  EXPECT_NE(response.body.find("http-equiv=\"refresh\""), std::string::npos);
  // A page about the request itself does not ask again.
  EXPECT_EQ(make_error_response(Errc::bad_request, true).body.find("refresh"), std::string::npos);
}

TEST(OwnResponse, SaysWhenToComeBackOnlyWhereTheCausePasses) {
  for (const uint16_t status : {429, 502, 503, 504})
    EXPECT_TRUE(make_status_response(status, false).head.headers.has("Retry-After")) << status;
  for (const uint16_t status : {400, 404, 413, 500, 501, 505, 507, 511})
    EXPECT_FALSE(make_status_response(status, true).head.headers.has("Retry-After")) << status;
}

TEST(OwnResponse, NeverTellsAVersionOrADetailOfTheLog) {
  for (size_t i = 1; i < error_codes; ++i) {
    const auto code = static_cast<Errc>(i);
    if (row_of(code).status == 0) continue;
    for (const bool page : {false, true}) {
      const OwnResponse response = make_error_response(code, page);
      EXPECT_EQ(response.body.find("usher"), std::string::npos) << name_of(code);
      EXPECT_EQ(response.body.find(USHER_VERSION), std::string::npos) << name_of(code);
      EXPECT_NE(reason_of(response.head.status), "Unknown") << name_of(code);
    }
  }
}

}  // namespace
}  // namespace usher::proxy
