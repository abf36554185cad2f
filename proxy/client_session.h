// What speaks HTTP on an accepted connection, from the end of its handshake on: http1_session.h,
// http2_session.h. Takes the stream's callbacks; the connection owns both.
#pragma once

#include "base/clock.h"
#include "net/channel.h"

namespace usher::proxy {

class ClientSession : public net::Mortal, public net::StreamHandler {
 public:
  // Its handler's on_stream_open() has been called by now.
  virtual void start() = 0;
  // Ends when the exchanges under way are over; without any, after the grace, in which one more
  // request may come. HTTP/2 needs none: it tells its client first. Again: a shorter grace.
  virtual void drain(Duration grace) = 0;
  // The exchanges under way are broken off, so that their clients notice.
  virtual void break_exchanges() = 0;
  // ClientConnection::start_deadline() was called, and this is it.
  virtual void on_deadline() = 0;
  // It has done nothing that floods do.
  virtual bool in_good_standing() const = 0;
  // Without a request: ends at once, since others need its descriptor. False: it is still sending.
  virtual bool give_way() = 0;
  // The connection is closed. Buries what it owns; nothing else is called any more.
  virtual void stop() = 0;

 private:
  void on_stream_open() final {}
};

}  // namespace usher::proxy
