#include "net/stream.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace usher::net {
namespace {

// A piece of at least this size is not copied into the queue when it can leave at once.
constexpr size_t direct_write_size = 16 * 1024;
constexpr int reads_per_turn = 4;

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

int take_socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

}  // namespace

Stream::Stream(Loop& loop, Fd fd, std::unique_ptr<Transport> transport, StreamHandler& handler)
    : loop_(loop),
      handler_(&handler),
      transport_(std::move(transport)),
      fd_(std::move(fd)),
      side_(Side::client),
      delivers_before_failing_(false) {}

Stream::Stream(Loop& loop, const SocketAddress& address, std::unique_ptr<Transport> transport,
               StreamHandler& handler, Side side)
    : loop_(loop),
      handler_(&handler),
      transport_(std::move(transport)),
      connect_to_(std::make_unique<SocketAddress>(address)),
      side_(side),
      delivers_before_failing_(true) {}

Stream::~Stream() {
  close();
  if (flush_asked_ || continue_asked_) loop_.forget(*this);
}

void Stream::start() {
  if (connect_to_) return connect();
  state_ = State::handshaking;
  if (!watch()) return;
  // Most handshakes begin with bytes that are not there yet; a plain stream is open without any.
  continue_asked_ = true;
  loop_.at_next_turn(*this);
}

void Stream::connect() {
  state_ = State::connecting;
  fd_ = Fd(::socket(connect_to_->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_.valid()) {
    const bool full = errno == EMFILE || errno == ENFILE;
    return fail_later(full ? Errc::out_of_descriptors : Errc::system, std::strerror(errno));
  }
  if (!connect_to_->is_unix()) {
    set_option(fd_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd_.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  }
  if (::connect(fd_.get(), connect_to_->data(), connect_to_->length()) != 0 &&
      errno != EINPROGRESS) {
    return fail_later(connect_error(errno), to_string(*connect_to_) + ": " + std::strerror(errno));
  }
  watch();
}

bool Stream::watch() {
  event_assign(&event_, loop_.base(), fd_.get(),
               EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, &Stream::on_event, this);
  watched_ = event_add(&event_, nullptr) == 0;
  const bool complete = watched_ && loop_.watch_for_breaks(fd_.get(), *this);
  if (!complete) fail_later(Errc::system, "epoll refused the socket");
  return complete;
}

Errc Stream::connect_error(int error) const {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT:  // a unix socket that is not there
      return Errc::connect_refused;
    case EADDRNOTAVAIL:  // no local port is left: nothing is known of the peer
      return Errc::out_of_descriptors;
    case ETIMEDOUT: return Errc::connect_timeout;
    default: return Errc::connect_failed;
  }
}

void Stream::on_event(evutil_socket_t, short what, void* self) noexcept {
  static_cast<Stream*>(self)->on_ready(what);
}

void Stream::on_ready(short what) {
  if (what & (EV_READ | EV_CLOSED)) readable_ = true;
  if (what & EV_WRITE) writable_ = true;
  if (what & EV_CLOSED) peer_hung_up_ = true;

  if (state_ == State::connecting) {
    if (!(what & (EV_WRITE | EV_CLOSED))) return;
    if (const int error = take_socket_error(fd_.get()); error != 0) {
      return fail(connect_error(error), to_string(*connect_to_) + ": " + std::strerror(error));
    }
    connect_to_.reset();
    state_ = State::handshaking;
  }
  if (state_ == State::handshaking) advance_opening();
  if (state_ != State::open) return;

  if (writable_ && (queued() > 0 || (finishing_ && !finished_))) flush();
  if (state_ != State::open) return;
  if (readable_ && reading_ && !ended_) return read_some();
  if ((what & EV_CLOSED) && !reading_ && !ended_) handler_->on_stream_hangup();
}

// What stands before the break is still there to be read, and reading finds the error behind it;
// that the last read came back short does not mean that there is no more.
void Stream::on_broken() {
  if (state_ == State::connecting || state_ == State::closed) return;  // on_ready() tells
  peer_hung_up_ = readable_ = true;
  if (state_ == State::handshaking) advance_opening();
  if (state_ != State::open) return;
  if (reading_ && !ended_) return read_some();
  if (const int error = take_socket_error(fd_.get()); error != 0) break_off(std::strerror(error));
}

void Stream::advance_opening() {
  const IoResult result = transport_->handshake(fd_.get());
  switch (result.status) {
    case IoStatus::again: return;
    case IoStatus::end:
      return fail(side_ == Side::client ? Errc::client_gone : Errc::replica_closed,
                  "the peer closed the connection during the handshake");
    case IoStatus::error: return fail(transport_->handshake_errc(), transport_->error_text());
    case IoStatus::done: break;
  }
  peer_ = transport_->take_peer_facts();
  if (auto successor = transport_->take_successor()) transport_ = std::move(successor);
  state_ = State::open;
  if (transport_->has_buffered()) readable_ = true;
  handler_->on_stream_open();
  if (state_ == State::open && queued() > 0) flush();
}

void Stream::on_continue() {
  continue_asked_ = false;
  if (state_ == State::handshaking) {
    advance_opening();
    if (state_ != State::open) return;
  }
  if (state_ != State::open || !reading_) return;
  if (transport_->has_buffered()) readable_ = true;
  read_some();
}

void Stream::read_some() {
  if (in_) {
    // What was not taken is older than all that is still in the socket.
    const std::unique_ptr<std::string> unread = std::move(in_);
    deliver(*unread);
  }
  for (int i = 0; i < reads_per_turn; ++i) {
    // With in_, reading goes on in the next turn, if it does.
    if (state_ != State::open || !reading_ || !readable_ || in_ || ended_) return;
    const size_t most = std::max(handler_->wanted(), transport_->least_room());
    const std::span<char> scratch = loop_.scratch().first(std::min(most, loop_.scratch().size()));
    const IoResult result = transport_->read(fd_.get(), scratch);
    switch (result.status) {
      case IoStatus::done:
        bytes_in_ += result.bytes;
        if (result.drained && !peer_hung_up_ && !late_failure_) readable_ = false;
        deliver(scratch.first(result.bytes));
        break;
      case IoStatus::again:
        if (report_late_failure()) return;
        // It wants the rest of a TLS record, and the end stands where that should be: no event will
        // tell of it again.
        if (peer_hung_up_) break;
        readable_ = false;
        return;
      case IoStatus::end:
        readable_ = false;
        if (report_late_failure()) return;
        ended_ = true;
        return handler_->on_stream_end();
      case IoStatus::error:
        return fail(side_ == Side::client ? Errc::client_gone : Errc::replica_closed,
                    transport_->error_text());
    }
  }
  if (!continue_asked_) {
    continue_asked_ = true;
    loop_.at_next_turn(*this);
  }
}

void Stream::deliver(std::span<const char> data) {
  delivering_ = true;
  resume_asked_ = false;
  const size_t taken = handler_->on_stream_data(data);
  delivering_ = false;
  if (taken == data.size() || state_ == State::closed) return;
  reading_ = false;
  in_ = std::make_unique<std::string>(data.data() + taken, data.size() - taken);
  if (resume_asked_) resume_reading();
}

uint64_t Stream::bytes_taken() const {
  int unsent = 0;
  if (!fd_.valid() || ::ioctl(fd_.get(), SIOCOUTQ, &unsent) != 0) return bytes_out_;
  return bytes_out_ - std::min(bytes_out_, static_cast<uint64_t>(std::max(unsent, 0)));
}

SocketAddress Stream::local_address() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (!fd_.valid() || ::getsockname(fd_.get(), address, &length) != 0) return {};
  return {address, length};
}

void Stream::pause_reading() {
  reading_ = false;
  resume_asked_ = false;
}

void Stream::resume_reading() {
  if (delivering_) resume_asked_ = true;
  if (reading_ || state_ == State::closed) return;
  reading_ = true;
  const bool something = in_ || readable_ || (transport_ && transport_->has_buffered());
  if (something && !continue_asked_) {
    continue_asked_ = true;
    loop_.at_next_turn(*this);
  }
}

void Stream::write(std::span<const char> bytes) {
  if (state_ == State::closed || finishing_ || late_failure_ || bytes.empty()) return;
  if (state_ == State::open && writable_ && queued() == 0 && bytes.size() >= direct_write_size) {
    write_now(bytes);
    if (bytes.empty()) return;
  }
  tail().append(bytes.data(), bytes.size());
  commit();
}

std::string& Stream::tail() {
  if (out_.capacity() < Loop::buffer_size) out_ = loop_.borrow_buffer();
  return out_;
}

void Stream::commit() {
  if (state_ == State::closed || queued() == 0) return;
  if (above_high_mark()) was_high_ = true;
  if (!flush_asked_) {
    flush_asked_ = true;
    loop_.at_turn_end(*this);
  }
}

void Stream::write_now(std::span<const char>& bytes) {
  while (!bytes.empty()) {
    const IoResult result = transport_->write(fd_.get(), bytes);
    if (result.status == IoStatus::done) {
      bytes_out_ += result.bytes;
      bytes = bytes.subspan(result.bytes);
      continue;
    }
    writable_ = false;
    if (result.status != IoStatus::again) {
      break_off(transport_->error_text());
      bytes = {};
    }
    return;
  }
}

void Stream::break_off(std::string detail) {
  const Errc code = side_ == Side::client ? Errc::client_gone : Errc::replica_closed;
  if (!delivers_before_failing_ || ended_) return fail_later(code, std::move(detail));
  if (late_failure_) return;
  late_failure_ = std::make_unique<Error>(Error{code, side_, std::move(detail)});
  readable_ = true;
  if (!continue_asked_) {
    continue_asked_ = true;
    loop_.at_next_turn(*this);
  }
}

// True if there was one: the stream is closed now.
bool Stream::report_late_failure() {
  if (!late_failure_) return false;
  const std::unique_ptr<Error> failure = std::move(late_failure_);
  fail(failure->code, failure->detail);
  return true;
}

void Stream::on_turn_end() {
  flush_asked_ = false;
  if (failure_) {
    const std::unique_ptr<Error> failure = std::move(failure_);
    return fail(failure->code, failure->detail);
  }
  if (state_ == State::open && writable_) flush();
}

void Stream::flush() {
  std::span<const char> unsent(out_.data() + out_sent_, queued());
  write_now(unsent);
  out_sent_ = out_.size() - unsent.size();
  if (failure_) return;  // reported at the end of the turn
  if (unsent.empty()) {
    out_sent_ = 0;
    loop_.give_back(std::exchange(out_, {}));
  } else if (out_sent_ >= high_mark) {
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  if (was_high_ && queued() < low_mark) {
    was_high_ = false;
    handler_->on_stream_writable();
  }
  if (state_ == State::open && finishing_ && !finished_ && queued() == 0) send_end();
}

void Stream::finish() {
  if (state_ == State::closed || finishing_) return;
  finishing_ = true;
  if (!flush_asked_) {
    flush_asked_ = true;
    loop_.at_turn_end(*this);
  }
}

void Stream::send_end() {
  if (transport_->finish(fd_.get()).status == IoStatus::again) {
    writable_ = false;
    return;
  }
  ::shutdown(fd_.get(), SHUT_WR);
  finished_ = true;
  handler_->on_stream_finished();
}

void Stream::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  if (watched_) {
    event_del(&event_);
    // A child process that has not yet called execve() holds the socket as well: closed here, it
    // would still be reported, to nobody.
    ::epoll_ctl(loop_.breaks_fd_.get(), EPOLL_CTL_DEL, fd_.get(), nullptr);
  }
  watched_ = false;
  fd_.reset();
  loop_.give_back(std::exchange(out_, {}));
  out_sent_ = 0;
  in_.reset();
  failure_.reset();
  late_failure_.reset();
}

void Stream::abort() {
  if (state_ == State::closed) return;
  const linger now{1, 0};
  if (fd_.valid()) ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void Stream::fail(Errc code, std::string detail) {
  if (state_ == State::closed) return;
  close();
  handler_->on_stream_error(Error{code, side_, std::move(detail)});
}

void Stream::fail_later(Errc code, std::string detail) {
  if (failure_) return;
  failure_ = std::make_unique<Error>(Error{code, side_, std::move(detail)});
  if (!flush_asked_) {
    flush_asked_ = true;
    loop_.at_turn_end(*this);
  }
}

}  // namespace usher::net
