// The server's side of HTTP/2 (RFC 9113), with websockets by extended CONNECT (RFC 8441): a
// client's octets in, events of numbered streams out; the parts of responses in, octets out.
//
// What each stream is sent waits in a queue of its own until flow control lets it go, its heads
// included: the caller stops at above_high_mark(). What the client's windows let in may wait for
// the end of the turn up to high_mark, but all streams together no more than one may; else a stream
// holds held_mark. What each stream receives is bounded by its window, which opens again only as
// the caller consume()s. The connection's window is opened at once, so that a stream that stalls
// stalls no other one.
//
// A request comes out as HTTP/1.1 would have carried it: cookie crumbs joined, :authority as its
// Host, a websocket's CONNECT as a GET with a key of its own. What is malformed resets its stream
// (section 8.1.1); what can be read and is refused comes out as a request that is an error.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "protocol/framing.h"
#include "protocol/message.h"

namespace usher::protocol {

using StreamId = int32_t;

// Of one connection.
struct Http2Limits {
  HeadLimits head;
  uint32_t streams = 128;             // requests and websockets at a time
  uint32_t window = 128 * 1024;       // bytes of a body that may come before they are taken
  uint32_t first_window = 16 * 1024;  // likewise, until open_window()
  uint32_t resets = 200;           // streams that are reset before their end, within flood_interval
  uint32_t control_frames = 2000;  // frames that carry nothing, within flood_interval
  bool extended_connect = true;
};

// Error codes (RFC 9113 section 7).
enum class Http2Code : uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  cancel = 8
};

enum class Http2EventKind : uint8_t {
  request,   // take_request(); once for each stream, first
  data,      // of the request's body, or of the websocket
  end,       // the client sends no more on this stream; take_trailers()
  writable,  // the queue was above the high mark and is now below the low mark
  sent,      // all of the response has been handed on, its end included
  closed,    // the stream is over: release() it
  pong,      // the answer to ping()
};

struct Http2Event {
  Http2EventKind kind;
  StreamId stream = 0;
  std::span<const char> data;  // inside the input given
  uint32_t code = 0;           // why it is closed
};

class Http2ServerCodec final {
 public:
  static constexpr size_t high_mark = 96 * 1024;
  static constexpr size_t held_mark = 12 * 1024;
  static constexpr size_t low_mark = 4 * 1024;
  static constexpr std::chrono::seconds flood_interval{10};

  explicit Http2ServerCodec(const Http2Limits& limits);
  ~Http2ServerCodec();
  Http2ServerCodec(const Http2ServerCodec&) = delete;
  Http2ServerCodec& operator=(const Http2ServerCodec&) = delete;

  // Reads all of the input. An error ends the connection: what pull() still has says so to the
  // client (GOAWAY), and nothing else is read.
  Outcome receive(std::span<const char> input, MonotonicTime now);
  // Why nghttp2 has ended the connection, once pull() has told the client.
  std::optional<Error> take_failure();
  // What has happened since the last call, in order; data are valid as long as receive()'s input.
  void take_events(std::vector<Http2Event>& into);
  // pull() may have something.
  bool has_output() const;
  // Appends what may be sent, until `most` bytes have been added or a little more. False: there was
  // nothing.
  bool pull(std::string& out, size_t most);

  // An error: the request is refused, and may be answered.
  Result<RequestHead> take_request(StreamId stream);
  Headers take_trailers(StreamId stream);
  // The client has sent all of its side.
  bool ended(StreamId stream) const;
  // No answer reaches the client any more.
  bool closed(StreamId stream) const;
  // So many bytes of its data have been taken: the client may send as many again.
  void consume(StreamId stream, size_t bytes);
  // Its body is being taken: from now on its window is the full one.
  void open_window(StreamId stream);

  // Interim heads come before the final one. A 101 opens the websocket.
  void send_head(StreamId stream, const ResponseHead& head);
  void send_data(StreamId stream, std::span<const char> data);
  // What is queued goes first.
  void send_end(StreamId stream, const Headers& trailers);
  // Nothing else that the client sends on this stream is wanted. Once send_end() is carried out,
  // the client is told (section 8.1: RST_STREAM with NO_ERROR).
  void refuse_rest(StreamId stream);
  // What is queued goes first; what was announced and is missing is seen to be missing.
  void break_off(StreamId stream);
  // At once; what is queued is dropped.
  void reset(StreamId stream, Http2Code code);
  // Forgets a stream that is closed.
  void release(StreamId stream);

  // If so, writable follows.
  bool above_high_mark(StreamId stream);
  // How much more the stream should be given.
  size_t room(StreamId stream) const;
  // Something waits to be sent, a head or data.
  bool waits(StreamId stream) const;
  // Of data.
  size_t queued(StreamId stream) const;
  uint64_t sent(StreamId stream) const;
  // Of heads and data of all streams, so far; frames of no use to the client do not count.
  uint64_t sent_in_all() const;
  // The client's window lets nothing of this stream in, whatever the connection's does.
  bool shut(StreamId stream) const;

  // Section 6.8: first that no more requests are wanted, though those on their way are still
  // served; then, when the client must have heard, that those after the last one seen are not.
  void announce_end();
  void end();
  void ping();
  // Neither reading nor writing has any use.
  bool over() const;
  // The client has said that it follows our settings (section 6.5.3).
  bool acknowledged() const;
  // The octets of a head are on their way.
  bool receiving_head() const;
  // By the client or because of it, of late.
  uint32_t resets() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace usher::protocol
