// HTTP/2 from a client: whatever comes, what is kept stays within the limits, each request is one
// that HTTP/1.1 could carry, and events are in an order that their reader may rely on.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/http1_parser.h"
#include "protocol/http1_writer.h"
#include "protocol/http2_server_codec.h"
#include "tests/fuzz/protocol_cuts.h"

namespace {

using namespace usher;
using namespace usher::protocol;
using namespace usher::protocol::fuzz;

constexpr Http2Limits limits{.head = {.bytes = 4096},
                             .streams = 16,
                             .window = 70'000,
                             .resets = 20,
                             .control_frames = 50,
                             .extended_connect = true};

struct Seen {
  uint64_t held = 0;  // of the body, not yet consumed
  bool ended = false;
};

// What goes to the replica is one request there, with the same target.
void check(const RequestHead& head) {
  std::string text;
  write_request_head(text, head);
  std::span<const char> input(text);
  RequestParser parser({.bytes = 1 << 20, .fields = 1000});
  auto parsed = parser.next(input);
  require(parsed && parsed->kind == ParsedKind::head, "the replica reads a request");
  const RequestHead again = parser.take_head();
  require(again.target == head.target && again.method == head.method, "the same request");
  require(again.authority == head.authority, "for the same host");
  require(again.body == head.body, "with the same framing");
  require(again.wants_websocket == head.wants_websocket, "to the same end");
}

void answer(Http2ServerCodec& codec, StreamId stream, const RequestHead& request) {
  ResponseHead head;
  head.status = request.wants_websocket ? 101 : 200;
  head.headers.append("Content-Type", "text/plain");
  if (!request.wants_websocket) head.body = {BodyKind::length, 5};
  codec.send_head(stream, head);
  codec.send_data(stream, std::string_view("hello"));
  if (request.target.size() % 2 == 0) codec.send_end(stream, {});
  if (request.target.size() % 3 == 0) codec.refuse_rest(stream);
  if (request.target.size() % 5 == 0) codec.break_off(stream);
}

void act(Http2ServerCodec& codec, std::map<StreamId, Seen>& streams) {
  std::vector<Http2Event> events;
  codec.take_events(events);
  for (const Http2Event& event : events) {
    if (event.kind == Http2EventKind::pong) continue;
    if (event.kind == Http2EventKind::request) {
      require(streams.emplace(event.stream, Seen{}).second, "a stream has one request");
      auto request = codec.take_request(event.stream);
      if (!request) {
        ResponseHead refusal;
        refusal.status = 400;
        codec.send_head(event.stream, refusal);
        codec.send_end(event.stream, {});
        codec.refuse_rest(event.stream);
        continue;
      }
      check(*request);
      answer(codec, event.stream, *request);
      continue;
    }
    const auto found = streams.find(event.stream);
    if (event.kind == Http2EventKind::closed) {
      codec.release(event.stream);
      if (found != streams.end()) streams.erase(found);
      continue;
    }
    require(found != streams.end(), "a request comes first");
    Seen& seen = found->second;
    if (event.kind == Http2EventKind::data) {
      require(!seen.ended, "nothing comes after the end");
      seen.held += event.data.size();
      require(seen.held <= limits.window, "no more comes than the window allows");
      if (seen.held > 60'000) {
        codec.consume(event.stream, seen.held);
        seen.held = 0;
      }
    }
    if (event.kind == Http2EventKind::end) seen.ended = true;
  }
  require(streams.size() <= 2 * limits.streams + 2, "streams are bounded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Http2ServerCodec codec(limits);
  std::map<StreamId, Seen> streams;
  std::string out;
  for (const std::string_view piece : cuts_of(text, static_cast<uint32_t>(size))) {
    const bool good = codec.receive(piece, MonotonicTime{}).ok();
    act(codec, streams);
    out.clear();
    while (codec.pull(out, 16 * 1024))
      require(out.size() < (1 << 22), "what is sent is bounded");
    act(codec, streams);
    if (!good || codec.over()) break;
  }
  return 0;
}
