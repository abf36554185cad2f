#include "bench/replica/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "bench/fail.h"
#include "bench/frame.h"
#include "bench/head.h"
#include "bench/stamp.h"

namespace usher::bench {

namespace {

constexpr size_t kMostQueued = 1 << 20;  // a stream that falls behind by so much is a failed run
constexpr std::string_view kBytesPath = "/bytes/";

constexpr std::string_view kOpenPacket =
    R"(0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";

std::string ok_with_length(size_t length) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
         std::to_string(length) + "\r\n\r\n";
}

std::array<char, 64 * 1024> buffer;

}  // namespace

Connection::Connection(Replica& replica, int socket)
    : replica_(replica), socket_(socket), watched_(EPOLLIN) {
  replica_.poller.add(socket_, watched_, *this);
}

Connection::~Connection() {
  end_stream();
  ::close(socket_);
}

void Connection::on_ready(uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
  if (ended_) delete this;
}

void Connection::read() {
  if (upload_left_ > 0) return discard_upload();
  ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (count <= 0) {
    // A proxy may close or reset at any time: when its client has gone, or when it ends itself.
    ended_ = count == 0 || errno != EAGAIN;
    return;
  }
  in_.append(buffer.data(), static_cast<size_t>(count));
  if (speaks_ == Speaks::requests) serve_requests();
  if (speaks_ != Speaks::requests) hear_messages();
}

void Connection::discard_upload() {
  // MSG_TRUNC on TCP throws the bytes away without copying them.
  ssize_t count = ::recv(socket_, nullptr, std::min<size_t>(upload_left_, 1 << 20), MSG_TRUNC);
  if (count <= 0) {
    ended_ = count == 0 || errno != EAGAIN;
    return;
  }
  upload_left_ -= static_cast<size_t>(count);
  if (upload_left_ == 0) answer(std::to_string(upload_));
}

void Connection::serve_requests() {
  while (upload_left_ == 0 && speaks_ == Speaks::requests) {
    size_t length = head_length(in_);
    if (length == 0) return;
    std::string head = in_.substr(0, length);
    in_.erase(0, length);
    upload_ = content_length(head).value_or(0);
    upload_left_ = upload_ - std::min(upload_, in_.size());
    in_.erase(0, upload_ - upload_left_);
    if (upload_left_ == 0) serve(head);
  }
}

void Connection::serve(std::string_view head) {
  std::string_view method = head.substr(0, head.find(' '));
  std::string_view path = head.substr(method.size() + 1);
  path = path.substr(0, path.find(' '));
  if (method == "POST") return answer(std::to_string(upload_));
  if (path == "/") return answer("ok");
  if (path == "/api/version") return answer("{}");
  if (path == "/kib") return answer(replica_.page);
  if (path == "/ws/echo") return upgrade(head, Speaks::echo);
  if (path == kSocketIoPath) return upgrade(head, Speaks::socketio);
  if (path == "/ws/tokens") return upgrade(head, Speaks::tokens);
  if (path == "/events") {
    speaks_ = Speaks::events;
    out_ +=
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    flush();
    return begin_stream();
  }
  if (path.starts_with(kBytesPath)) {
    path.remove_prefix(kBytesPath.size());
    auto parsed = std::from_chars(path.data(), path.data() + path.size(), download_left_);
    if (parsed.ec != std::errc()) fail("how many bytes? " + std::string(path));
    out_ += ok_with_length(download_left_);
    return flush();
  }
  fail("nothing is known of this request: " + std::string(head));
}

void Connection::upgrade(std::string_view head, Speaks speaks) {
  if (field(head, "sec-websocket-key") != kWebsocketKey) fail("no websocket key");
  speaks_ = speaks;
  out_ += "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  out_ += "Sec-WebSocket-Accept: " + std::string(kWebsocketAccept) + "\r\n\r\n";
  if (speaks == Speaks::socketio) append_message(out_, kOpenPacket, false);
  flush();
}

void Connection::answer(std::string_view body) {
  out_ += ok_with_length(body.size());
  out_ += body;
  flush();
}

void Connection::hear_messages() {
  size_t offset = 0;
  while (auto message = take_message(in_, offset)) {
    if (speaks_ == Speaks::echo) {
      append_message(out_, *message, false);
    } else if (speaks_ == Speaks::socketio) {
      hear_packet(*message);
    } else if (message == kStopStream) {
      end_stream();
      append_message(out_, kStreamStopped, false);
    } else {
      begin_stream();
    }
  }
  in_.erase(0, offset);
  flush();
}

void Connection::hear_packet(std::string_view packet) {
  if (packet == "40") return append_message(out_, R"(40{"sid":"b"})", false);
  if (!packet.starts_with(kEventOpens)) fail("not our packet: " + std::string(packet));
  packet.remove_prefix(kEventOpens.size());
  append_message(out_, std::string(kAckOpens) + std::string(packet), false);
}

void Connection::begin_stream() {
  if (!streams_) replica_.metronome.join(*this);
  streams_ = true;
}

void Connection::end_stream() {
  if (streams_) replica_.metronome.leave(*this);
  streams_ = false;
}

void Connection::on_beat() {
  if (out_.size() > kMostQueued) fail("a stream is not read");
  if (speaks_ == Speaks::tokens) {
    append_message(out_, stamped(kTokenBytes), false);
  } else {
    constexpr std::string_view before = "64\r\ndata: ";  // one chunk of 100 bytes
    constexpr std::string_view after = "\n\n\r\n";
    static_assert(kTokenBytes == 0x64);
    out_ += before;
    out_ += stamped(kTokenBytes - 8);
    out_ += after;
  }
  flush();
}

void Connection::flush() {
  if (!out_.empty()) {
    ssize_t sent = ::send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent > 0) out_.erase(0, static_cast<size_t>(sent));
    // Reading will say that the connection has ended.
    if (sent < 0 && errno != EAGAIN) out_.clear(), download_left_ = 0;
  }
  if (out_.empty() && download_left_ > 0) {
    while (size_t sent = replica_.payload.send(socket_, download_left_)) {
      download_left_ -= sent;
    }
  }
  watch(!out_.empty() || download_left_ > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Connection::watch(uint32_t events) {
  if (events == watched_) return;
  watched_ = events;
  replica_.poller.change(socket_, events, *this);
}

}  // namespace usher::bench
