// Requests: the events do not depend on how the octets were cut, and a request that is written
// again, as it goes to a replica, means the same to whoever reads it there.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/forwarding.h"
#include "protocol/http1_parser.h"
#include "protocol/http1_server_codec.h"
#include "protocol/http1_writer.h"
#include "tests/fuzz/protocol_cuts.h"
#include "tests/unit/protocol/transcript.h"

namespace {

using namespace usher;
using namespace usher::protocol;
using namespace usher::protocol::fuzz;

struct Request {
  RequestHead head;
  std::string body;
  Headers trailers;
};

// The first request, if it is complete and nothing is wrong with it.
std::optional<Request> read_request(std::span<const char>& input, HeadLimits limits) {
  RequestParser parser(limits);
  Request request;
  while (true) {
    const auto before = input;
    auto parsed = parser.next(input);
    if (!parsed || parsed->kind == ParsedKind::need_more) return std::nullopt;
    if (parsed->kind == ParsedKind::head) request.head = parser.take_head();
    if (parsed->kind == ParsedKind::data) {
      require(!parsed->data.empty() && parsed->data.data() >= before.data() &&
                  parsed->data.data() + parsed->data.size() <= before.data() + before.size(),
              "data lies in the input");
      request.body.append(parsed->data.data(), parsed->data.size());
    }
    if (parsed->kind == ParsedKind::end) {
      request.trailers = parser.take_trailers();
      return request;
    }
  }
}

void write(std::string& out, const Request& request) {
  write_request_head(out, request.head);
  const auto head_size = out.size();
  require(check_head_bytes(std::string_view(out).substr(0, head_size)).ok(),
          "a written head is clean");
  if (request.head.body.kind != BodyKind::chunked) {
    out.append(request.body);
    return;
  }
  if (!request.body.empty()) {
    write_chunk_prefix(out, request.body.size());
    out.append(request.body).append(chunk_suffix);
  }
  write_last_chunk(out, request.trailers);
}

std::string meaning(const Request& request) {
  const RequestHead& head = request.head;
  std::string text(head.method);
  text.append(" ").append(head.target).append(" ").append(head.authority).append("\n");
  text.append(std::to_string(static_cast<int>(head.body.kind))).append(" ");
  text.append(std::to_string(head.body.length)).append(" ");
  text.append(head.expects_continue ? "expects " : "")
      .append(head.wants_websocket ? "websocket" : "");
  text.append("\n").append(fields_but(head.headers, "host"));
  return text.append(trailers_passed_on(request.trailers)).append(request.body);
}

void check_round_trip(std::string_view text, HeadLimits limits) {
  std::span<const char> input(text);
  while (auto request = read_request(input, limits)) {
    strip_hop_by_hop(request->head.headers);
    // HTTP/1.0 may come without a Host; the proxy then names the replica.
    if (request->head.authority.empty()) request->head.authority = "replica";
    if (request->head.minor_version == 0) request->head.headers.remove("expect");
    std::string written;
    write(written, *request);

    std::span<const char> rest(written);
    auto again = read_request(rest, {.bytes = written.size() + 1, .fields = 10'000});
    require(again.has_value(), "what was written is understood");
    require(rest.empty(), "what was written is one message");
    strip_hop_by_hop(again->head.headers);
    require_equal(meaning(*request), meaning(*again), "what was written means the same");
  }
}

// What is found ahead is what comes.
void check_look_ahead(std::string_view text, HeadLimits limits) {
  Http1ServerCodec looking(limits), taking(limits);
  std::span<const char> input(text), rest(text);
  const auto head = looking.next(input);
  if (!head || head->kind != ServerEventKind::request) return;
  require(taking.next(rest)->kind == ServerEventKind::request, "the same head");
  const auto ahead = looking.look_ahead(input);
  const bool chunked = looking.take_request().body.kind == BodyKind::chunked;
  uint64_t octets = 0;
  while (true) {
    const auto event = taking.next(rest);
    if (!event) {
      require(!ahead && ahead.error().code == event.error().code, "the same error");
      return;
    }
    if (event->kind != ServerEventKind::data) break;
    octets += event->data.size();
  }
  require(ahead.ok(), "no error where none is met");
  require(*ahead == (chunked ? octets : 0), "as many octets");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint32_t seed = data[0] * 256u + data[1];
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const HeadLimits limits = (seed & 2) != 0 ? HeadLimits{.bytes = 256, .fields = 8} : HeadLimits{};

  const std::vector<std::string_view> whole{text};
  const auto transcript = transcript_of_requests(whole, limits);
  require_equal(transcript, transcript_of_requests(octets_of(text), limits), "octet by octet");
  require_equal(transcript, transcript_of_requests(cuts_of(text, seed), limits), "in pieces");
  check_round_trip(text, limits);
  check_look_ahead(text, limits);
  return 0;
}
