// Responses: the events do not depend on how the octets were cut, and a response that is written
// again, as it goes to a client, means the same to whoever reads it there.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/forwarding.h"
#include "protocol/handshake.h"
#include "protocol/http1_parser.h"
#include "protocol/http1_writer.h"
#include "tests/fuzz/protocol_cuts.h"
#include "tests/unit/protocol/transcript.h"

namespace {

using namespace usher;
using namespace usher::protocol;
using namespace usher::protocol::fuzz;

struct Response {
  ResponseHead head;
  std::string body;
  Headers trailers;
};

// The next response, an interim one included; nothing if it is broken, incomplete or cut short.
std::optional<Response> read_response(ResponseParser& parser, std::span<const char>& input) {
  Response response;
  while (true) {
    auto parsed = parser.next(input);
    if (!parsed) return std::nullopt;
    if (parsed->kind == ParsedKind::need_more) {
      if (response.head.status < 200 || !input.empty() || !parser.complete_at_close()) {
        return std::nullopt;
      }
      return response;
    }
    if (parsed->kind == ParsedKind::head) {
      response.head = parser.take_head();
      if (response.head.status < 200) return response;
    }
    if (parsed->kind == ParsedKind::data)
      response.body.append(parsed->data.data(), parsed->data.size());
    if (parsed->kind == ParsedKind::end) {
      response.trailers = parser.take_trailers();
      return response;
    }
  }
}

void write(std::string& out, const Response& response, bool http10_client) {
  const bool upgrade = response.head.status == 101;
  write_response_head(
      out, response.head,
      {.close = !response.head.keep_alive, .http10_client = http10_client, .upgrade = upgrade});
  require(check_head_bytes(out).ok(), "a written head is clean");
  const auto framing = response_framing(response.head.body, http10_client);
  if (framing.kind != BodyKind::chunked) {
    out.append(response.body);
    return;
  }
  if (!response.body.empty()) {
    write_chunk_prefix(out, response.body.size());
    out.append(response.body).append(chunk_suffix);
  }
  write_last_chunk(out, response.trailers);
}

std::string meaning(const Response& response) {
  const ResponseHead& head = response.head;
  std::string text = std::to_string(head.status);
  text.append(" ").append(head.reason).append("\n").append(fields_but(head.headers, "connection"));
  if (head.announced_length) text.append(std::to_string(*head.announced_length)).append("\n");
  text.append(head.requires_websocket ? "requires a websocket\n" : "");
  return text.append(trailers_passed_on(response.trailers)).append(response.body);
}

// What opens a tunnel is one thing only, whatever else stands there.
void check_switch(const ResponseHead& head) {
  static const RequestHead request = [] {
    static constexpr std::string_view text =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: foo; a=\"b, c\", bar\r\n\r\n";
    RequestParser parser({});
    std::span<const char> input(text);
    require(parser.next(input)->kind == ParsedKind::head, "the request is valid");
    return parser.take_head();
  }();
  if (!check_websocket_response(request, head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) return;
  require(head.headers.count("Upgrade") == 1 &&
              equals_ignoring_case(*head.headers.get("Upgrade"), "websocket"),
          "to a websocket");
  require(head.headers.count("Sec-WebSocket-Accept") == 1, "one accept");
  const auto protocol = head.headers.get("Sec-WebSocket-Protocol");
  require(!protocol || *protocol == "a" || *protocol == "b", "an offered subprotocol");
}

void check_round_trip(std::string_view text, std::string_view method, HeadLimits limits,
                      bool http10_client) {
  ResponseParser parser(limits);
  parser.expect(method);
  std::span<const char> input(text);
  while (auto response = read_response(parser, input)) {
    const auto status = response->head.status;
    check_switch(response->head);
    if (status < 200 && http10_client) return;  // never written to such a client
    strip_hop_by_hop(response->head.headers);
    std::string written;
    write(written, *response, http10_client);

    ResponseParser reader({.bytes = written.size() + 1, .fields = 10'000});
    reader.expect(method);
    std::span<const char> rest(written);
    auto again = read_response(reader, rest);
    require(again.has_value(), "what was written is understood");
    require(rest.empty(), "what was written is one message");
    strip_hop_by_hop(again->head.headers);
    if (http10_client) response->trailers = Headers();
    require_equal(meaning(*response), meaning(*again), "what was written means the same");
    require(again->head.body == response_framing(response->head.body, http10_client),
            "what was written is framed as it was said to be");
    if (status >= 200 || status == 101) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint32_t seed = data[0] * 256u + data[1];
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const HeadLimits limits = (seed & 2) != 0 ? HeadLimits{.bytes = 256, .fields = 8} : HeadLimits{};
  const Answered answered{.method = (seed & 4) != 0 ? "HEAD" : "GET", .closed = (seed & 8) != 0};

  const std::vector<std::string_view> whole{text};
  const auto transcript = transcript_of_response(whole, answered, limits);
  require_equal(transcript, transcript_of_response(octets_of(text), answered, limits),
                "octet by octet");
  require_equal(transcript, transcript_of_response(cuts_of(text, seed), answered, limits),
                "in pieces");
  check_round_trip(text, answered.method, limits, (seed & 16) != 0);
  return 0;
}
