// The server's side of HTTP/1.1: a client's octets in, events out; the parts of a response in,
// octets out. One request at a time: the next one is not looked at before this one has been
// answered, so that a client that pipelines waits in its own socket.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/framing.h"
#include "protocol/http1_parser.h"
#include "protocol/message.h"

namespace usher::protocol {

enum class ServerEventKind : uint8_t { need_more, request, data, end };

struct ServerEvent {
  ServerEventKind kind = ServerEventKind::need_more;
  std::span<const char> data;  // inside the input given
};

// A piece of response body ready to be written: prefix, then `take` bytes of the body, then suffix.
// take 0: the body is longer than the head announced, and nobody could read the rest.
struct DataFrame {
  std::string_view prefix;  // valid until the next call
  size_t take = 0;
  std::string_view suffix;
};

class Http1ServerCodec final {
 public:
  explicit Http1ServerCodec(HeadLimits limits) : limits_(limits), parser_(limits) {}

  // While a request is being answered and its end has been read, nothing more is consumed: call
  // again after write_end(). An error ends the connection; a response for it may still be written.
  Result<ServerEvent> next(std::span<const char>& input);
  // Of a body of which nothing has been taken: how many of its octets are in the input. An error is
  // what next() would meet in it, and ends the connection alike.
  Result<uint64_t> look_ahead(std::span<const char> input);
  RequestHead take_request() { return std::move(request_); }
  Headers take_trailers() { return parser_.take_trailers(); }

  // Sends one response head; interim ones first. `head.body` is how the replica framed it; it is
  // framed anew as the client's version asks. `close`: the connection ends after this response. A
  // response to HEAD gets no frame(), whatever its head says.
  void write_head(const ResponseHead& head, bool close, std::string& out);
  // Every octet of a body goes through here: a connection whose body came out shorter than
  // announced is not used again.
  DataFrame frame(size_t available);
  void write_end(const Headers& trailers, std::string& out);

  // A response is being written whose end only the connection's end would tell.
  bool ends_at_close() const {
    return answering_ != Progress::ended && framing_.kind == BodyKind::until_close;
  }
  // The connection can carry another request after what has been written and read.
  bool reusable() const { return !closing_ && !in_exchange(); }
  // No request has begun to arrive and none is being answered.
  bool idle() const { return !in_exchange() && parser_.between_messages(); }

 private:
  enum class Progress : uint8_t { running, ended };

  bool in_exchange() const {
    return receiving_ != Progress::ended || answering_ != Progress::ended;
  }
  void begin_exchange();

  HeadLimits limits_;
  RequestParser parser_;
  RequestHead request_;
  Progress receiving_ = Progress::ended;
  Progress answering_ = Progress::ended;
  bool head_request_ = false;
  bool http10_client_ = false;
  bool keep_alive_ = true;
  bool closing_ = false;  // no other request will be read
  bool failed_ = false;
  bool chunks_untouched_ = false;  // a body in chunks is to come, and nothing of it was taken
  BodyFraming framing_;            // of the response, as the client gets it
  uint64_t left_ = 0;
  std::array<char, 18> prefix_;
};

}  // namespace usher::protocol
