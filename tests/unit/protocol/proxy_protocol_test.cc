#include "protocol/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace usher::protocol {
namespace {

using namespace std::string_literals;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

// "size source destination", "more", or "refused".
std::string verdict(const std::string& bytes) {
  const auto parsed = parse_proxy_header(bytes);
  if (!parsed) return "refused";
  if (!*parsed) return "more";
  const ProxyHeader& header = **parsed;
  const auto text = [](const std::optional<SocketAddress>& address) {
    return address ? to_string(*address) : "-"s;
  };
  return std::to_string(header.size) + " " + text(header.source) + " " + text(header.destination);
}

std::string v2(char command, char family, const std::string& rest) {
  return signature + command + family + static_cast<char>(rest.size() >> 8) +
         static_cast<char>(rest.size() & 0xff) + rest;
}

const std::string four = "\x01\x02\x03\x04\x0a\0\0\x01\x12\x67\x01\xbb"s;
const std::string six = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01" +
                        std::string(15, '\0') + "\x01" + "\x12\x67\x01\xbb";

TEST(ProxyProtocol, ReadsWhoIsThere) {
  const std::pair<std::string, const char*> rows[] = {
      {"PROXY TCP4 1.2.3.4 10.0.0.1 4711 443\r\n", "38 1.2.3.4:4711 10.0.0.1:443"},
      {"PROXY TCP6 2001:db8::1 ::1 4711 443\r\n", "37 [2001:db8::1]:4711 [::1]:443"},
      {"PROXY TCP4 1.2.3.4 10.0.0.1 0 65535\r\nGET /", "37 1.2.3.4:0 10.0.0.1:65535"},
      {"PROXY UNKNOWN\r\n", "15 - -"},
      {"PROXY UNKNOWN ffff::1 and whatever 1 2 3 4\r\n", "44 - -"},
      {v2(0x21, 0x11, four), "28 1.2.3.4:4711 10.0.0.1:443"},
      {v2(0x21, 0x21, six) + "GET", "52 [2001:db8::1]:4711 [::1]:443"},
      {v2(0x21, 0x11,
          four + "\x03\0\x04"
                 "abcd"s),
       "35 1.2.3.4:4711 10.0.0.1:443"},
      {v2(0x20, 0x00, ""), "16 - -"},
      {v2(0x20, 0x11, four), "28 - -"},  // LOCAL: whatever it says
      {v2(0x21, 0x00, "abc"), "19 - -"},
      {v2(0x21, 0x31, std::string(216, 'x')), "232 - -"},
      {v2(0x21, 0x11, four + std::string(4096 - 28, 'x')), "4096 1.2.3.4:4711 10.0.0.1:443"},
  };
  for (const auto& [bytes, expected] : rows)
    EXPECT_EQ(verdict(bytes), expected) << bytes;
}

TEST(ProxyProtocol, RefusesEverythingElse) {
  const std::string rows[] = {
      "GET / HTTP/1.1\r\n",
      "\x16\x03\x01",  // TLS
      "PROXY \r\n",
      "PROXY TCP4\r\n",
      "PROXY TCP4 1.2.3.4 10.0.0.1 4711\r\n",
      "PROXY TCP4 1.2.3.4 10.0.0.1 4711 443 1\r\n",
      "PROXY TCP4 1.2.3.4 10.0.0.1 4711 443 \r\n",
      "PROXY TCP4  1.2.3.4 10.0.0.1 4711 443\r\n",
      "PROXY TCP4 ::1 ::1 4711 443\r\n",
      "PROXY TCP6 1.2.3.4 10.0.0.1 4711 443\r\n",
      "PROXY TCP4 1.2.3.4 10.0.0.1 4711 65536\r\n",
      "PROXY TCP4 1.2.3.4 10.0.0.1 04711 443\r\n",
      "PROXY TCP4 1.2.3.4 10.0.0.1 -1 443\r\n",
      "PROXY TCP4 localhost 10.0.0.1 1 443\r\n",
      "PROXY TCP5 1.2.3.4 10.0.0.1 4711 443\r\n",
      "PROXY UNKNOWN" + std::string(100, ' ') + "\r\n",
      "PROXY " + std::string(101, 'x'),
      v2(0x11, 0x11, four),
      v2(0x22, 0x11, four),
      v2(0x21, 0x12, four),  // UDP
      v2(0x21, 0x41, four),
      v2(0x21, 0x11, four.substr(1)),
      v2(0x21, 0x21, four),
      v2(0x21, 0x11, four + std::string(4097 - 28, 'x')),
  };
  for (const std::string& bytes : rows)
    EXPECT_EQ(verdict(bytes), "refused") << bytes;
}

TEST(ProxyProtocol, WaitsForTheWholeHeaderHoweverItIsCut) {
  for (const std::string& whole :
       {"PROXY TCP4 1.2.3.4 10.0.0.1 4711 443\r\n"s, v2(0x21, 0x11, four), v2(0x20, 0x00, "xyz"),
        "PROXY UNKNOWN" + std::string(92, ' ') + "\r\n"}) {
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_EQ(verdict(whole.substr(0, size)), "more") << size;
    EXPECT_NE(verdict(whole), "more");
    EXPECT_NE(verdict(whole), "refused");
  }
}

}  // namespace
}  // namespace usher::protocol
