// Connected bytes, plain or TLS, in both directions, with a bounded out-queue.
//
// Reading: edge-triggered, one read a wake-up where possible, into the loop's scratch buffer; an
// idle stream holds no read buffer. Writing: what one turn of the loop writes leaves in one call at
// its end; large pieces go out at once.
//
// A server that answers early and hangs up, such as to say why it refuses us, breaks the connection
// before its answer is read: so what whoever we connected to has sent is delivered first, and the
// break is reported when there is no more of it. A client that breaks the connection is reported at
// once, unless the owner wants its last words too.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/error.h"
#include "base/fd.h"
#include "net/channel.h"
#include "net/loop.h"
#include "net/transport.h"

namespace usher::net {

class Stream final : public Channel, public TurnEnd {
 public:
  // Above high the writer should stop, below low it may go on. Bytes.
  static constexpr size_t high_mark = 128 * 1024;
  static constexpr size_t low_mark = 32 * 1024;

  // An accepted, connected socket. start() begins with the handshake.
  Stream(Loop& loop, Fd fd, std::unique_ptr<Transport> transport, StreamHandler& handler);
  // A new socket that connects to address once started. `side` names the peer in errors.
  Stream(Loop& loop, const SocketAddress& address, std::unique_ptr<Transport> transport,
         StreamHandler& handler, Side side);
  ~Stream() override;

  void start();
  void set_handler(StreamHandler& handler) override { handler_ = &handler; }

  void write(std::span<const char> bytes) override;
  void write(const std::string& bytes) { write(std::string_view(bytes)); }
  void write(std::string_view bytes) { write(std::span<const char>(bytes.data(), bytes.size())); }
  // The queue's tail, to append to in place; call commit() afterwards.
  std::string& tail();
  void commit();
  // Once the queue has gone out: close_notify, FIN.
  void finish() override;
  // Whoever the peer is.
  void deliver_before_failing() override { delivers_before_failing_ = true; }
  bool broken() const override { return late_failure_ != nullptr; }
  void close() override;
  // With a RST.
  void abort() override;

  void pause_reading() override;
  void resume_reading() override;
  bool reading() const override { return reading_; }

  bool open() const { return state_ == State::open; }
  bool closed() const override { return state_ == State::closed; }
  bool finished() const override { return finished_; }
  bool above_high_mark() const override { return queued() > high_mark; }
  size_t room() const override { return high_mark - std::min(high_mark, queued()); }
  size_t queued() const override { return out_.size() - out_sent_; }
  uint64_t bytes_in() const override { return bytes_in_; }
  uint64_t bytes_out() const override { return bytes_out_; }
  // Of what was sent, what the peer's kernel has taken: asks our own, so not for each message.
  uint64_t bytes_taken() const;
  Transport& transport() { return *transport_; }
  // Once, when it is open: what the handshake found out. nullptr: nothing.
  std::unique_ptr<PeerFacts> take_peer_facts() { return std::move(peer_); }
  // Our end of it; of a closed one the empty address.
  SocketAddress local_address() const;
  Loop& loop() { return loop_; }

 private:
  friend class Loop;
  enum class State : uint8_t { fresh, connecting, handshaking, open, closed };

  static void on_event(evutil_socket_t, short what, void* self) noexcept;
  void on_ready(short what);
  void on_broken();
  void on_turn_end() override;
  void on_continue();
  void connect();
  bool watch();
  void advance_opening();
  void read_some();
  void deliver(std::span<const char> data);
  void flush();
  void write_now(std::span<const char>& bytes);
  void send_end();
  void fail(Errc code, std::string detail);
  void break_off(std::string detail);
  bool report_late_failure();
  void fail_later(Errc code, std::string detail);
  Errc connect_error(int error) const;

  Loop& loop_;
  StreamHandler* handler_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<PeerFacts> peer_;
  Fd fd_;
  std::unique_ptr<SocketAddress> connect_to_;  // until connected
  std::unique_ptr<Error> failure_;       // found inside a call; reported at the end of the turn
  std::unique_ptr<Error> late_failure_;  // reported when all that came has been read
  event event_;
  std::string out_;
  size_t out_sent_ = 0;
  std::unique_ptr<std::string> in_;  // offered and not taken
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
  State state_ = State::fresh;
  Side side_;
  bool reading_ = true;
  bool readable_ = false;  // an edge was seen and the socket is not yet drained
  bool writable_ = true;   // the last write did not meet a full socket
  bool was_high_ = false;
  bool ended_ = false;        // the peer's end was delivered
  bool finishing_ = false;    // finish() was called
  bool finished_ = false;     // and carried out
  bool flush_asked_ = false;  // on the loop's list for the end of this turn
  bool continue_asked_ = false;
  bool peer_hung_up_ = false;  // its end is behind what is still to be read
  bool watched_ = false;
  bool delivers_before_failing_;
  bool delivering_ = false;
  bool resume_asked_ = false;  // while delivering: what is left over is wanted after all
};

}  // namespace usher::net
