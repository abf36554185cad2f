// What a client that has shaken hands may send: genuine records of any content in any order, cut
// anywhere, with raw bytes between them. Whatever it is, only what was sealed as application data
// is delivered, in its order and from the beginning, and what a transport refuses it goes on
// refusing.

#include <sys/socket.h>

#include <cstdlib>
#include <string>

#include "base/fd.h"
#include "tls/tls13_transport.h"

using namespace usher;
using namespace usher::tls;

namespace {

constexpr uint16_t suite = 0x1301;
using Use = RecordProtection::Use;

void require(bool holds, const char*) {
  if (!holds) std::abort();
}

TrafficSecret secret() {
  TrafficSecret made;
  made.size = 32;
  return made;
}

RecordProtection protection(Use use) { return *RecordProtection::make(suite, secret(), use, 0); }

struct Sent {
  std::string bytes;
  std::string data;  // what was sealed as application data
};

// Two octets say what comes, a content type or raw bytes, and how much; then come its octets.
Sent play(std::string_view script) {
  Sent sent;
  RecordProtection client = protection(Use::sealing);
  while (script.size() >= 2) {
    const auto kind = static_cast<uint8_t>(script[0]);
    const auto size = static_cast<size_t>(static_cast<uint8_t>(script[1])) * (kind & 0x80 ? 80 : 1);
    const std::string_view content = script.substr(2, size);
    script.remove_prefix(2 + content.size());
    constexpr uint8_t raw = 7;
    if ((kind & 7) == raw) {
      sent.bytes += content;
      continue;
    }
    constexpr uint8_t typeless = 6;
    const auto type =
        (kind & 7) == typeless ? ContentType::invalid : static_cast<ContentType>(20 + (kind & 7));
    std::string record(content.size() + record_overhead, '\0');
    client.seal(type, content, record.data());
    sent.bytes += record;
    if (type == ContentType::application_data) sent.data += content;
    const std::string update = {24, 0, 0, 1, 0};
    if (type == ContentType::handshake && content.substr(0, 4) == update.substr(0, 4) &&
        content.size() == 5) {
      client.update();
    }
  }
  return sent;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 1) return 0;
  const size_t step = 1 + size_t{bytes[0]} * 7;
  const Sent sent = play({reinterpret_cast<const char*>(bytes + 1), size - 1});

  int fds[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0, "a socket pair");
  const Fd ours(fds[0]), theirs(fds[1]);
  const auto transport = make_tls13_transport({.sealing = protection(Use::sealing),
                                               .opening = protection(Use::opening),
                                               .received = {},
                                               .protocol = {}});
  std::string got;
  std::string into(net::Transport::smallest_read, '\0');
  bool over = false;
  for (size_t at = 0; at < sent.bytes.size(); at += step) {
    const std::string_view piece = std::string_view(sent.bytes).substr(at, step);
    require(
        ::send(theirs.get(), piece.data(), piece.size(), 0) == static_cast<ssize_t>(piece.size()),
        "room in the socket");
    net::IoResult result{net::IoStatus::done};
    while (result.status == net::IoStatus::done) {
      result = transport->read(ours.get(), into);
      if (result.status != net::IoStatus::done) break;
      require(!over, "nothing after an end");
      require(result.bytes > 0 && result.bytes <= into.size(), "bytes that fit");
      got.append(into, 0, result.bytes);
      if (result.drained) break;
    }
    over = over || result.status == net::IoStatus::end || result.status == net::IoStatus::error;
    if (over) break;
    require(transport->write(ours.get(), std::string_view("x")).bytes == 1, "a write");
    ::recv(theirs.get(), into.data(), into.size(), 0);
  }
  require(sent.data.starts_with(got), "what was sealed, in its order");
  return 0;
}
