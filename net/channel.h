// Bytes in both directions, with a bounded out-queue: a connection (stream.h), or one stream of a
// connection that carries many. Nothing is called back from inside a call to a Channel.
//
// An owner that is done calls close() and buries the channel: loop.bury(std::move(channel)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "net/loop.h"

namespace usher::net {

class StreamHandler {
 public:
  // Connected and, with TLS, shaken hands. Called once, before any data.
  virtual void on_stream_open() = 0;
  // Returns how many bytes were taken. The rest is kept, reading pauses, and it is offered again
  // after resume_reading().
  virtual size_t on_stream_data(std::span<const char> data) = 0;
  // About so many bytes are wanted at once, at most; asked before each read.
  virtual size_t wanted() const { return SIZE_MAX; }
  // The peer will send no more. Writing is still possible.
  virtual void on_stream_end() = 0;
  // The out-queue was above the high mark and is now below the low mark.
  virtual void on_stream_writable() = 0;
  // The peer went away, or ended its side, while reading is paused: unread bytes may remain.
  virtual void on_stream_hangup() {}
  // Everything written, finish() included, has been handed on (a socket: to the kernel). Only after
  // finish().
  virtual void on_stream_finished() {}
  // The connection is broken (or was never made). Nothing follows.
  virtual void on_stream_error(Error error) = 0;

 protected:
  ~StreamHandler() = default;
};

class Channel : public Mortal {
 public:
  virtual void set_handler(StreamHandler& handler) = 0;

  virtual void write(std::span<const char> bytes) = 0;
  // Ends our side once the queue has gone out.
  virtual void finish() = 0;
  // From now on what came before a break is delivered first. Meanwhile nothing can be written any
  // more: broken() tells.
  virtual void deliver_before_failing() = 0;
  virtual bool broken() const = 0;
  // Idempotent. No callback follows. Unsent bytes are dropped.
  virtual void close() = 0;
  // close() so that the peer cannot take what it got for the whole.
  virtual void abort() = 0;

  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  virtual bool reading() const = 0;

  virtual bool closed() const = 0;
  // finish() has been carried out.
  virtual bool finished() const = 0;
  // The writer should stop until on_stream_writable().
  virtual bool above_high_mark() const = 0;
  // How much more may be written before it should stop.
  virtual size_t room() const = 0;
  // Bytes: written and not yet sent; received so far; sent so far.
  virtual size_t queued() const = 0;
  virtual uint64_t bytes_in() const = 0;
  virtual uint64_t bytes_out() const = 0;
};

}  // namespace usher::net
