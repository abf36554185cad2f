// The client's side of HTTP, whatever its version: bytes in, events of numbered streams out;
// response parts in, bytes out. Nothing above asks which protocol the client speaks. HTTP/1.1 has
// one stream at a time (id 1, 2, 3 … in the order of the requests).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/framing.h"
#include "protocol/message.h"

namespace usher::protocol {

using StreamId = uint32_t;

enum class ServerEventKind : uint8_t { need_more, request, data, end };

struct ServerEvent {
  ServerEventKind kind = ServerEventKind::need_more;
  StreamId stream = 0;
  std::span<const char> data;  // inside the input given
};

// A piece of response body ready to be written: prefix, then `take` bytes of the body, then suffix.
// take 0: not now (flow control); the codec will say when.
struct DataFrame {
  std::string_view prefix;  // valid until the next call
  size_t take = 0;
  std::string_view suffix;
};

class ServerCodec {
 public:
  virtual ~ServerCodec() = default;

  // While a request is being answered and its end has been read, HTTP/1.1 consumes nothing more:
  // call again after write_end(). An error ends the connection; a response for it may still be
  // written on error_stream().
  virtual Result<ServerEvent> next(std::span<const char>& input) = 0;
  // The stream that the last error concerns: the one whose head or body broke.
  virtual StreamId error_stream() const = 0;
  virtual RequestHead take_request(StreamId stream) = 0;
  virtual Headers take_trailers(StreamId stream) = 0;

  // Sends one response head; interim ones first. `head.body` is how the replica framed it; the
  // codec frames it as its protocol asks. `close`: the connection ends after this response. A
  // response to HEAD gets no frame(), whatever its head says.
  virtual void write_head(StreamId stream, const ResponseHead& head, bool close,
                          std::string& out) = 0;
  // Every octet of a body goes through here: the codec counts them, and a connection whose body
  // came out shorter than announced is not used again.
  virtual DataFrame frame(StreamId stream, size_t available) = 0;
  virtual void write_end(StreamId stream, const Headers& trailers, std::string& out) = 0;

  // A response is being written whose end only the connection's end would tell.
  virtual bool ends_at_close() const = 0;
  // The connection can carry another request after what has been written and read.
  virtual bool reusable() const = 0;
  // No request has begun to arrive and none is being answered.
  virtual bool idle() const = 0;
  virtual std::string_view name() const = 0;  // "h1", as the access log says it
};

std::unique_ptr<ServerCodec> make_http1_server_codec(HeadLimits limits);

}  // namespace usher::protocol
