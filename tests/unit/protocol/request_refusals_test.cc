// Requests that must not get through: each fed whole, octet by octet and cut in two at every place.
// Long because it is a table.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/protocol/transcript.h"

namespace usher::protocol {
namespace {

using namespace std::string_literals;

struct Refusal {
  std::string what;
  std::string text;
  std::string verdict = "bad_request";
};

void expect_refused(const std::vector<Refusal>& refusals, std::string_view accepted_before = {},
                    HeadLimits limits = {}) {
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.what);
    const auto expected = std::string(accepted_before) + "error:" + refusal.verdict;
    for_each_cut(refusal.text, [&](auto pieces, const std::string& how) {
      EXPECT_EQ(transcript_of_requests(pieces, limits), expected) << how;
    });
  }
}

std::string with_first_line(const std::string& line) { return line + "\r\nHost: a\r\n\r\n"; }
std::string with_field(const std::string& field) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n\r\n";
}
std::string with_hosts(const std::string& fields) { return "GET / HTTP/1.1\r\n" + fields + "\r\n"; }
std::string with_target(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

TEST(RequestRefusals, RefuseAMalformedFirstLine) {
  expect_refused({
      {"method alone", with_first_line("GET")},
      {"HTTP/0.9", with_first_line("GET /")},
      {"HTTP/0.9 with a space", with_first_line("GET / ")},
      {"two spaces before the target", with_first_line("GET  / HTTP/1.1")},
      {"two spaces before the version", with_first_line("GET /  HTTP/1.1")},
      {"space before the method", with_first_line(" GET / HTTP/1.1")},
      {"space after the version", with_first_line("GET / HTTP/1.1 ")},
      {"tab after the version", with_first_line("GET / HTTP/1.1\t")},
      {"tab for the first space", with_first_line("GET\t/ HTTP/1.1")},
      {"tab for the second space", with_first_line("GET /\tHTTP/1.1")},
      {"vertical tab for a space", with_first_line("GET\v/ HTTP/1.1")},
      {"form feed for a space", with_first_line("GET /\fHTTP/1.1")},
      {"four words", with_first_line("GET / HTTP/1.1 HTTP/1.1")},
      {"no target", with_first_line("GET HTTP/1.1")},
      {"empty method", with_first_line(" / HTTP/1.1")},
      {"parenthesis in the method", with_first_line("G(ET / HTTP/1.1")},
      {"slash in the method", with_first_line("G/ET / HTTP/1.1")},
      {"colon in the method", with_first_line("GET: / HTTP/1.1")},
      {"quote in the method", with_first_line("\"GET\" / HTTP/1.1")},
      {"obs-text in the method", with_first_line("G\xc3\x89T / HTTP/1.1")},
      {"NUL in the method", with_first_line("G\0T / HTTP/1.1"s)},
      {"control character in the method", with_first_line("G\x01T / HTTP/1.1")},
      {"DEL in the method", with_first_line("G\x7fT / HTTP/1.1")},
      {"bare CR in the first line", with_first_line("GET /\r HTTP/1.1")},
      {"bare CR for a space", with_first_line("GET\r/ HTTP/1.1")},
      {"a response", "HTTP/1.1 200 OK\r\n\r\n"},
      {"only a version", with_first_line("HTTP/1.1")},
      {"a field for a first line", "Host: a\r\n\r\n"},
  });
}

TEST(RequestRefusals, RefuseMethodsThatAreNotServed) {
  expect_refused({
      {"TRACE", with_first_line("TRACE / HTTP/1.1"), "not_implemented"},
      {"trace", with_first_line("trace / HTTP/1.1"), "not_implemented"},
      {"connect", with_first_line("connect / HTTP/1.1"), "not_implemented"},
      {"CONNECT in authority-form", with_first_line("CONNECT a:443 HTTP/1.1"), "not_implemented"},
      {"CONNECT in origin-form", with_first_line("CONNECT / HTTP/1.1"), "not_implemented"},
      {"HTTP/2's PRI", with_first_line("PRI * HTTP/1.1")},
      {"PRI with a path", with_first_line("Pri / HTTP/1.1")},
  });
}

TEST(RequestRefusals, RefuseOtherVersions) {
  expect_refused({
      {"HTTP/2.0", with_first_line("GET / HTTP/2.0"), "version_not_supported"},
      {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version_not_supported"},
      {"HTTP/3.0", with_first_line("GET / HTTP/3.0"), "version_not_supported"},
      {"HTTP/0.9", with_first_line("GET / HTTP/0.9"), "version_not_supported"},
      {"HTTP/0.0", with_first_line("GET / HTTP/0.0"), "version_not_supported"},
      {"HTTP/9.9", with_first_line("GET / HTTP/9.9"), "version_not_supported"},
      {"one number", with_first_line("GET / HTTP/1")},
      {"one number, HTTP/2", with_first_line("GET / HTTP/2")},
      {"no minor number", with_first_line("GET / HTTP/1.")},
      {"two digits of minor number", with_first_line("GET / HTTP/1.10")},
      {"two digits of major number", with_first_line("GET / HTTP/11.1")},
      {"leading zero", with_first_line("GET / HTTP/01.1")},
      {"trailing zero", with_first_line("GET / HTTP/1.01")},
      {"comma", with_first_line("GET / HTTP/1,1")},
      {"lower case", with_first_line("GET / http/1.1")},
      {"mixed case", with_first_line("GET / Http/1.1")},
      {"HTTPS", with_first_line("GET / HTTPS/1.1")},
      {"another protocol", with_first_line("GET / ICE/1.0")},
      {"RTSP", with_first_line("GET / RTSP/1.0")},
      {"letter", with_first_line("GET / HTTP/1.x")},
      {"sign", with_first_line("GET / HTTP/+1.1")},
      {"backslash", with_first_line("GET / HTTP\\1.1")},
      {"no slash", with_first_line("GET / HTTP1.1")},
      {"full-width digit", with_first_line("GET / HTTP/1.\xef\xbc\x91")},
  });
}

TEST(RequestRefusals, RefuseAMalformedTarget) {
  expect_refused({
      {"fragment", with_target("/a#b")},
      {"empty fragment", with_target("/a#")},
      {"only a fragment", with_target("#")},
      {"fragment after a query", with_target("/a?b#c")},
      {"space", with_target("/a b")},
      {"tab", with_target("/a\tb")},
      {"NUL", with_target("/a\0b"s)},
      {"control character", with_target("/a\x1f")},
      {"DEL", with_target("/a\x7f")},
      {"bare CR", with_target("/a\rb")},
      {"UTF-8", with_target("/caf\xc3\xa9")},
      {"Latin-1", with_target("/caf\xe9")},
      {"no slash", with_target("a")},
      {"relative path", with_target("../a")},
      {"query alone", with_target("?a=b")},
      {"asterisk with GET", with_target("*")},
      {"asterisk and more", with_first_line("OPTIONS *a HTTP/1.1")},
      {"asterisk path", with_first_line("OPTIONS */ HTTP/1.1")},
      {"authority-form", with_target("a:80")},
      {"another scheme", with_target("ftp://a/")},
      {"file", with_target("file:///etc/passwd")},
      {"websocket scheme", with_target("ws://a/")},
      {"no scheme", with_target("://a/")},
      {"one slash", with_target("http:/a/")},
      {"scheme alone", with_target("http://")},
      {"empty authority", with_target("http:///a")},
      {"userinfo", with_target("http://u@a/")},
      {"userinfo and password", with_target("http://u:p@a/")},
      {"userinfo that looks like the host", with_target("http://a@b/")},
      {"authority with a malformed port", with_target("http://a:b/")},
      {"authority in percent-encoding", with_target("http://%61/")},
      {"backslash after the authority", with_target("http://a\\b/")},
      {"fragment of an absolute-form", with_target("http://a/#b")},
      {"absolute-form without Host", "GET http://a/ HTTP/1.1\r\n\r\n"},
      {"absolute-form with two Hosts", "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
  });
}

TEST(RequestRefusals, RefuseAMalformedHost) {
  expect_refused({
      {"none", with_hosts("")},
      {"two", with_hosts("Host: a\r\nHost: b\r\n")},
      {"twice the same", with_hosts("Host: a\r\nHost: a\r\n")},
      {"two in different case", with_hosts("Host: a\r\nhOST: a\r\n")},
      {"two, far apart", with_hosts("Host: a\r\nX: y\r\nHost: b\r\n")},
      {"two in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"empty", with_hosts("Host:\r\n")},
      {"empty, with spaces", with_hosts("Host:   \r\n")},
      {"empty in HTTP/1.0", "GET / HTTP/1.0\r\nHost:\r\n\r\n"},
      {"list", with_hosts("Host: a, b\r\n")},
      {"two words", with_hosts("Host: a b\r\n")},
      {"tab inside", with_hosts("Host: a\tb\r\n")},
      {"path", with_hosts("Host: a/b\r\n")},
      {"query", with_hosts("Host: a?b\r\n")},
      {"fragment", with_hosts("Host: a#b\r\n")},
      {"URL", with_hosts("Host: http://a\r\n")},
      {"userinfo", with_hosts("Host: u@a\r\n")},
      {"backslash", with_hosts("Host: a\\b\r\n")},
      {"percent-encoding", with_hosts("Host: a%2eb\r\n")},
      {"port that is no number", with_hosts("Host: a:b\r\n")},
      {"negative port", with_hosts("Host: a:-1\r\n")},
      {"port with a sign", with_hosts("Host: a:+80\r\n")},
      {"port too large", with_hosts("Host: a:65536\r\n")},
      {"port much too large", with_hosts("Host: a:4294967376\r\n")},
      {"port of many zeros", with_hosts("Host: a:000080\r\n")},
      {"two ports", with_hosts("Host: a:80:80\r\n")},
      {"only a port", with_hosts("Host: :80\r\n")},
      {"only an empty port", with_hosts("Host: :\r\n")},
      {"two empty ports", with_hosts("Host: a::\r\n")},
      {"UTF-8", with_hosts("Host: caf\xc3\xa9\r\n")},
      {"quote", with_hosts("Host: \"a\"\r\n")},
      {"angle brackets", with_hosts("Host: <a>\r\n")},
      {"open bracket", with_hosts("Host: [::1\r\n")},
      {"closing bracket", with_hosts("Host: ::1]\r\n")},
      {"IPv6 without brackets", with_hosts("Host: ::1\r\n")},
      {"brackets without IPv6", with_hosts("Host: [a]\r\n")},
      {"IPv4 in brackets", with_hosts("Host: [127.0.0.1]\r\n")},
      {"empty brackets", with_hosts("Host: []\r\n")},
      {"IPv6 and more", with_hosts("Host: [::1]a\r\n")},
      {"IPv6 with a zone", with_hosts("Host: [fe80::1%eth0]\r\n")},
      {"space before the colon", with_hosts("Host : a\r\n")},
      {"folded", with_hosts("Host:\r\n a\r\n")},
  });
}

TEST(RequestRefusals, RefuseMalformedFields) {
  expect_refused({
      {"space before the colon", with_field("A : b")},
      {"tab before the colon", with_field("A\t: b")},
      {"space in the name", with_field("A B: c")},
      {"empty name", with_field(": b")},
      {"no colon", with_field("A")},
      {"no colon, two words", with_field("A b")},
      {"space before the name", with_field(" A: b")},
      {"folded with a space", with_field("A: b\r\n c")},
      {"folded with a tab", with_field("A: b\r\n\tc")},
      {"folded empty value", with_field("A:\r\n b")},
      {"folded with nothing", with_field("A: b\r\n ")},
      {"folded first line", "GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n"},
      {"parenthesis in the name", with_field("A(b): c")},
      {"slash in the name", with_field("A/b: c")},
      {"quote in the name", with_field("\"A\": b")},
      {"at sign in the name", with_field("A@: b")},
      {"brackets in the name", with_field("A[0]: b")},
      {"braces in the name", with_field("{A}: b")},
      {"backslash in the name", with_field("A\\: b")},
      {"comma in the name", with_field("A,B: c")},
      {"semicolon in the name", with_field("A;B: c")},
      {"equals sign in the name", with_field("A=B: c")},
      {"obs-text in the name", with_field("\xc3\x84: b")},
      {"NUL in the name", with_field("A\0: b"s)},
      {"control character in the name", with_field("A\x01: b")},
      {"DEL in the name", with_field("A\x7f: b")},
      {"NUL in the value", with_field("A: b\0c"s)},
      {"NUL at the value's end", with_field("A: b\0"s)},
      {"control character in the value", with_field("A: b\x01")},
      {"escape in the value", with_field("A: \x1b[2J")},
      {"backspace in the value", with_field("A: b\x08")},
      {"vertical tab in the value", with_field("A: b\vc")},
      {"form feed before the value", with_field("A:\fb")},
      {"DEL in the value", with_field("A: b\x7f")},
      {"bare CR in the value", with_field("A: b\rc")},
      {"bare CR before the value", with_field("A:\rb")},
      {"bare CR, then a field", with_field("A: b\rTransfer-Encoding: chunked")},
      {"two CR", with_field("A: b\r")},
      {"bare LF between fields", with_field("A: b\nB: c")},
      {"bare LF, then a smuggled field", with_field("A: b\nContent-Length: 5")},
      {"bare LF after the first line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
      {"bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n"},
      {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"LF CR", "GET / HTTP/1.1\n\rHost: a\n\r\n\r"},
      {"CR CR LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n"},
      {"CR CR LF after the first line", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
      {"CR without LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n"},
  });
}

TEST(RequestRefusals, RefuseWhatPrecedesARequest) {
  expect_refused({
      {"two empty lines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"bare LF", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"bare CR", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"empty line and a bare LF", "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"space", " \r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"NUL", "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"s},
      {"byte order mark", "\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a TLS hello, before its first line feed", "\x16\x03\x01\x02"},
      {"SSH", "SSH-2.0-OpenSSH_9.2\r\n"},
      {"SOCKS 5", "\x05\x01"s},
  });
}

TEST(RequestRefusals, RefuseAContentLengthThatIsNotOneNumber) {
  expect_refused({
      {"twice the same", with_field("Content-Length: 5\r\nContent-Length: 5")},
      {"twice, differing", with_field("Content-Length: 5\r\nContent-Length: 6")},
      {"twice in different case", with_field("Content-Length: 5\r\ncontent-length: 5")},
      {"twice, far apart", with_field("Content-Length: 5\r\nA: b\r\nContent-Length: 0")},
      {"list of the same", with_field("Content-Length: 5, 5")},
      {"list, differing", with_field("Content-Length: 5, 6")},
      {"list with an empty element", with_field("Content-Length: 5,")},
      {"list that begins empty", with_field("Content-Length: ,5")},
      {"empty", with_field("Content-Length:")},
      {"empty, with spaces", with_field("Content-Length:  ")},
      {"plus sign", with_field("Content-Length: +5")},
      {"minus sign", with_field("Content-Length: -5")},
      {"minus zero", with_field("Content-Length: -0")},
      {"hexadecimal", with_field("Content-Length: 0x5")},
      {"hexadecimal digits", with_field("Content-Length: a")},
      {"decimal point", with_field("Content-Length: 5.0")},
      {"exponent", with_field("Content-Length: 1e3")},
      {"two numbers", with_field("Content-Length: 5 6")},
      {"tab between digits", with_field("Content-Length: 5\t6")},
      {"letters after", with_field("Content-Length: 5abc")},
      {"semicolon after", with_field("Content-Length: 5;")},
      {"underscore", with_field("Content-Length: 1_000")},
      {"quoted", with_field("Content-Length: \"5\"")},
      {"full-width digit", with_field("Content-Length: \xef\xbc\x95")},
      {"2^63", with_field("Content-Length: 9223372036854775808")},
      {"2^64", with_field("Content-Length: 18446744073709551616")},
      {"2^64 + 5", with_field("Content-Length: 18446744073709551621")},
      {"thirty digits", with_field("Content-Length: 999999999999999999999999999999")},
      {"word", with_field("Content-Length: chunked")},
      {"space before the colon", with_field("Content-Length : 5")},
      {"folded", with_field("Content-Length:\r\n 5")},
      {"NUL after", with_field("Content-Length: 5\0"s)},
      {"vertical tab before", with_field("Content-Length: \v5")},
  });
}

TEST(RequestRefusals, RefuseAmbiguousTransferCodings) {
  expect_refused({
      {"beside Content-Length", with_field("Transfer-Encoding: chunked\r\nContent-Length: 5")},
      {"after Content-Length", with_field("Content-Length: 5\r\nTransfer-Encoding: chunked")},
      {"beside Content-Length: 0", with_field("Content-Length: 0\r\nTransfer-Encoding: chunked")},
      {"beside a malformed one", with_field("Content-Length: x\r\nTransfer-Encoding: chunked")},
      {"unknown beside it", with_field("Content-Length: 5\r\nTransfer-Encoding: identity")},
      {"empty", with_field("Transfer-Encoding:")},
      {"only a comma", with_field("Transfer-Encoding: ,")},
      {"empty, then chunked", with_field("Transfer-Encoding:\r\nTransfer-Encoding: chunked")},
      {"an empty element before", with_field("Transfer-Encoding: , chunked")},
      {"an empty element after", with_field("Transfer-Encoding: chunked,")},
      {"chunked twice", with_field("Transfer-Encoding: chunked, chunked")},
      {"two fields", with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")},
      {"chunked not last", with_field("Transfer-Encoding: chunked, gzip")},
      {"chunked not last, fields",
       with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")},
      {"chunked between", with_field("Transfer-Encoding: gzip, chunked, gzip")},
      {"with a parameter", with_field("Transfer-Encoding: chunked;a=b")},
      {"with an empty parameter", with_field("Transfer-Encoding: chunked;")},
      {"two words", with_field("Transfer-Encoding: chunked chunked")},
      {"two words, the first unknown", with_field("Transfer-Encoding: x chunked")},
      {"quoted", with_field("Transfer-Encoding: \"chunked\"")},
      {"single quotes and a comma", with_field("Transfer-Encoding: 'chunked', x y")},
      {"vertical tab before", with_field("Transfer-Encoding: \vchunked")},
      {"form feed after", with_field("Transfer-Encoding: chunked\f")},
      {"NUL after", with_field("Transfer-Encoding: chunked\0"s)},
      {"bare CR before", with_field("Transfer-Encoding:\rchunked")},
      {"space before the colon", with_field("Transfer-Encoding : chunked")},
      {"tab before the colon", with_field("Transfer-Encoding\t: chunked")},
      {"folded", with_field("Transfer-Encoding:\r\n chunked")},
      {"folded list", with_field("Transfer-Encoding: gzip,\r\n chunked")},
      {"non-breaking space before", with_field("Transfer-Encoding: \xa0"
                                               "chunked")},
      {"in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"unknown, in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n"},
  });
  expect_refused({
      {"gzip", with_field("Transfer-Encoding: gzip"), "not_implemented"},
      {"identity", with_field("Transfer-Encoding: identity"), "not_implemented"},
      {"gzip, then chunked", with_field("Transfer-Encoding: gzip, chunked"), "not_implemented"},
      {"in two fields", with_field("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"),
       "not_implemented"},
      {"with a parameter", with_field("Transfer-Encoding: x;q=1, chunked"), "not_implemented"},
      {"nearly chunked", with_field("Transfer-Encoding: xchunked"), "not_implemented"},
      {"nearly chunked, at the end", with_field("Transfer-Encoding: chunkedx"), "not_implemented"},
      {"chunke", with_field("Transfer-Encoding: chunke"), "not_implemented"},
  });
}

TEST(RequestRefusals, RefuseExpectationsOtherThanContinue) {
  expect_refused({
      {"unknown", with_field("Expect: the-unexpected"), "expectation_failed"},
      {"list", with_field("Expect: 100-continue, x"), "expectation_failed"},
      {"two fields", with_field("Expect: 100-continue\r\nExpect: x"), "expectation_failed"},
      {"empty", with_field("Expect:"), "expectation_failed"},
      {"with a value", with_field("Expect: 100-continue=yes"), "expectation_failed"},
  });
}

const std::string chunked_head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string chunked_accepted =
    "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: chunked} | ";

TEST(RequestRefusals, RefuseMalformedChunkSizes) {
  std::vector<Refusal> refusals{
      {"no digits", "\r\n"},
      {"only an extension", ";a\r\n"},
      {"letter", "g\r\n"},
      {"hexadecimal prefix", "0x5\r\nhello\r\n"},
      {"plus sign", "+5\r\nhello\r\n"},
      {"minus sign", "-5\r\nhello\r\n"},
      {"space before", " 5\r\nhello\r\n"},
      {"tab before", "\t5\r\nhello\r\n"},
      {"space after", "5 \r\nhello\r\n"},
      {"tab after", "5\t\r\nhello\r\n"},
      {"space inside", "1 0\r\n"},
      {"underscore", "1_0\r\n"},
      {"comma", "1,0\r\n"},
      {"dot", "5.0\r\n"},
      {"h at the end", "5h\r\n"},
      {"quoted", "\"5\"\r\n"},
      {"NUL", "5\0\r\n"s},
      {"NUL before", "\0005\r\n"s},
      {"bare LF", "5\nhello\r\n"},
      {"bare CR", "5\rhello\r\n"},
      {"two CR", "5\r\r\nhello\r\n"},
      {"CR, then a digit", "5\r5\r\n"},
      {"16 digits", "0000000000000005\r\nhello\r\n"},
      {"2^64 + 5", "10000000000000005\r\nhello\r\n"},
      {"all ones", "ffffffffffffffff\r\n"},
      {"2^63", "8000000000000000\r\n"},
      {"many zeros", "00000000000000000000000000\r\n\r\n"},
      {"full-width digit", "\xef\xbc\x95\r\nhello\r\n"},
      {"empty line before", "\r\n5\r\nhello\r\n"},
      {"the next request", "GET / HTTP/1.1\r\n"},
  };
  for (auto& refusal : refusals)
    refusal.text.insert(0, chunked_head);
  expect_refused(refusals, chunked_accepted);
}

TEST(RequestRefusals, RefuseMalformedChunkExtensions) {
  std::vector<Refusal> refusals{
      {"empty", "5;\r\nhello\r\n"},
      {"empty, twice", "5;;\r\nhello\r\n"},
      {"space after the name", "5;a \r\nhello\r\n"},
      {"tab after the name", "5;a\t\r\nhello\r\n"},
      {"space after a value", "5;a=b \r\nhello\r\n"},
      {"space after quotes", "5;a=\"b\" \r\nhello\r\n"},
      {"space and no semicolon", "5 a\r\nhello\r\n"},
      {"space inside a name", "5;a b\r\nhello\r\n"},
      {"space inside a value", "5;a=b c\r\nhello\r\n"},
      {"only a space behind the semicolon", "5; \r\nhello\r\n"},
      {"only a space behind the equals sign", "5;a= \r\nhello\r\n"},
      {"bare CR for a space", "5\r;a\r\nhello\r\n"},
      {"bare LF for a space", "5;\na\r\nhello\r\n"},
      {"vertical tab for a space", "5\v;a\r\nhello\r\n"},
      {"no name", "5;=b\r\nhello\r\n"},
      {"no value", "5;a=\r\nhello\r\n"},
      {"two equals signs", "5;a=b=c\r\nhello\r\n"},
      {"comma", "5;a,b\r\nhello\r\n"},
      {"bare LF", "5;a\nhello\r\n"},
      {"bare LF after the semicolon", "5;\nhello\r\n"},
      {"bare LF in a value", "5;a=b\nhello\r\n"},
      {"bare LF in quotes", "5;a=\"\n\"\r\nhello\r\n"},
      {"bare CR", "5;a\rb\r\nhello\r\n"},
      {"CRLF in quotes", "5;a=\"\r\n\"\r\nhello\r\n"},
      {"bare CR after an escape", "5;a=\"\\\r\"\r\nhello\r\n"},
      {"LF after an escape", "5;a=\"\\\n\"\r\nhello\r\n"},
      {"quotes not closed", "5;a=\"b\r\nhello\r\n"},
      {"text after quotes", "5;a=\"b\"c\r\nhello\r\n"},
      {"quote in a token", "5;a=b\"\r\nhello\r\n"},
      {"NUL", "5;a\0\r\nhello\r\n"s},
      {"NUL in quotes", "5;a=\"\0\"\r\nhello\r\n"s},
      {"control character", "5;a=\x01\r\nhello\r\n"},
      {"obs-text outside of quotes", "5;\xc3\xa9\r\nhello\r\n"},
  };
  for (auto& refusal : refusals)
    refusal.text.insert(0, chunked_head);
  expect_refused(refusals, chunked_accepted);
}

TEST(RequestRefusals, RefuseChunkDataThatDoesNotEndWhereItsSizeSays) {
  std::vector<Refusal> refusals{
      {"longer", "5\r\nhello!\r\n"},           {"no line end", "5\r\nhello0\r\n\r\n"},
      {"bare LF", "5\r\nhello\n0\r\n\r\n"},    {"bare CR", "5\r\nhello\r0\r\n\r\n"},
      {"two CR", "5\r\nhello\r\r\n0\r\n\r\n"}, {"LF CR", "5\r\nhello\n\r0\r\n\r\n"},
      {"space", "5\r\nhello \r\n0\r\n\r\n"},
  };
  for (auto& refusal : refusals)
    refusal.text.insert(0, chunked_head);
  expect_refused(refusals, chunked_accepted + "data:hello | ");
  refusals = {
      {"empty line", "5\r\nhello\r\n\r\n0\r\n\r\n"},
      {"shorter, then a size", "5\r\nhello\r\n\r\n5\r\n"},
      {"next request", "5\r\nhello\r\nGET / HTTP/1.1\r\n"},
  };
  for (auto& refusal : refusals)
    refusal.text.insert(0, chunked_head);
  expect_refused(refusals, chunked_accepted + "data:hello | ");
}

TEST(RequestRefusals, RefuseMalformedTrailers) {
  std::vector<Refusal> refusals{
      {"no colon", "0\r\nA\r\n\r\n"},
      {"space before the colon", "0\r\nA : b\r\n\r\n"},
      {"empty name", "0\r\n: b\r\n\r\n"},
      {"folded", "0\r\nA: b\r\n c\r\n\r\n"},
      {"space for a first line", "0\r\n \r\n\r\n"},
      {"bare LF for an empty line", "0\r\n\n"},
      {"bare LF in a field", "0\r\nA: b\n\r\n"},
      {"bare CR in a field", "0\r\nA: b\rc\r\n\r\n"},
      {"bare CR for an empty line", "0\r\n\rA: b\r\n\r\n"},
      {"NUL", "0\r\nA: \0\r\n\r\n"s},
      {"the next request", "0\r\nGET / HTTP/1.1\r\n\r\n"},
      {"obs-text in a name", "0\r\n\xc3\xa9: b\r\n\r\n"},
      {"bare LF after the size", "0\n\r\n"},
  };
  for (auto& refusal : refusals)
    refusal.text.insert(0, chunked_head);
  expect_refused(refusals, chunked_accepted);
}

TEST(RequestRefusals, EndTheConnectionForGood) {
  RequestParser parser({});
  const std::string text = "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::span<const char> input(text);
  EXPECT_FALSE(parser.next(input).ok());
  EXPECT_FALSE(parser.next(input).ok());
  std::span<const char> nothing;
  EXPECT_FALSE(parser.next(nothing).ok());
}

TEST(RequestLimits, BoundTheHeadHoweverItArrives) {
  const HeadLimits limits{.bytes = 64, .fields = 3};
  const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n";
  const auto padded = [&](size_t size) {
    return line + "A: " + std::string(size - line.size() - 7, 'x') + "\r\n\r\n";
  };
  expect_refused(
      {
          {"one octet too many", padded(65), "head_too_large"},
          {"many octets too many", padded(200), "head_too_large"},
          {"no end", line + "A: " + std::string(100, 'x'), "head_too_large"},
          {"one field too many", line + "A: b\r\nC: d\r\nE: f\r\n\r\n", "head_too_large"},
          {"long target", "GET /" + std::string(100, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n",
           "uri_too_long"},
          {"long method", std::string(100, 'G'), "uri_too_long"},
      },
      {}, limits);
  EXPECT_EQ(padded(64).size(), 64u);
  for_each_cut(padded(64), [&](auto pieces, const std::string& how) {
    EXPECT_EQ(transcript_of_requests(pieces, limits).find("error"), std::string::npos) << how;
  });
  for_each_cut(line + "A: b\r\nC: d\r\n\r\n", [&](auto pieces, const std::string& how) {
    EXPECT_EQ(transcript_of_requests(pieces, limits).find("error"), std::string::npos) << how;
  });
}

TEST(RequestLimits, BoundTheOptionsOfConnection) {
  std::string options;
  for (int i = 0; i < 64; ++i)
    options += "x,";
  const auto get = [](const std::string& list) {
    return "GET / HTTP/1.1\r\nHost: a\r\nConnection: " + list + "\r\n\r\n";
  };
  const auto allowed = get(options);
  const std::vector<std::string_view> whole{allowed};
  EXPECT_TRUE(transcript_of_requests(whole).ends_with("end"));
  expect_refused({{"one too many", get(options + "y")},
                  {"in two fields", get(options + "\r\nConnection: y")}});
}

TEST(RequestLimits, BoundTrailersAndExtensions) {
  const HeadLimits limits{.bytes = 100, .fields = 3};
  expect_refused(
      {
          {"large trailer", chunked_head + "0\r\nA: " + std::string(100, 'x') + "\r\n\r\n",
           "head_too_large"},
          {"many trailers", chunked_head + "0\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n",
           "head_too_large"},
      },
      chunked_accepted, limits);

  std::string text = chunked_head;
  for (int i = 0; i < 60; ++i)
    text += "1;" + std::string(100, 'x') + "\r\na\r\n";
  const std::vector<std::string_view> whole{text};
  EXPECT_EQ(transcript_of_requests(whole),
            chunked_accepted + "data:" + std::string(40, 'a') + " | error:bad_request");
}

}  // namespace
}  // namespace usher::protocol
