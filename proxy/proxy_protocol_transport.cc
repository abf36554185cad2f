#include "proxy/proxy_protocol_transport.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/proxy_protocol.h"

namespace usher::proxy {
namespace {

using net::IoResult;
using net::IoStatus;

class ProxyProtocolTransport final : public net::Transport {
 public:
  ProxyProtocolTransport(std::unique_ptr<net::Transport> inner, bool trusted)
      : inner_(std::move(inner)) {
    if (!trusted) refusal_ = "PROXY protocol: forwarded.trusted does not name this address";
  }

  IoResult handshake(int fd) override {
    if (!header_) {
      if (const IoResult read = read_header(fd); read.status != IoStatus::done) return read;
    }
    return inner_->handshake(fd);
  }
  std::unique_ptr<net::PeerFacts> take_peer_facts() override;
  // Its work is done.
  std::unique_ptr<net::Transport> take_successor() override {
    auto further = inner_->take_successor();
    return further ? std::move(further) : std::move(inner_);
  }
  Errc handshake_errc() const override {
    return refusal_.empty() ? inner_->handshake_errc() : Errc::bad_proxy_header;
  }
  std::string error_text() const override {
    return refusal_.empty() ? inner_->error_text() : refusal_;
  }
  IoResult read(int fd, std::span<char> into) override { return inner_->read(fd, into); }
  IoResult write(int fd, std::span<const char> from) override { return inner_->write(fd, from); }
  IoResult finish(int fd) override { return inner_->finish(fd); }
  bool has_buffered() const override { return inner_->has_buffered(); }

 private:
  IoResult read_header(int fd);

  std::unique_ptr<net::Transport> inner_;
  std::optional<protocol::ProxyHeader> header_;
  std::string refusal_;
};

// Only the header is taken from the socket: what comes behind it is for `inner_` to read.
IoResult ProxyProtocolTransport::read_header(int fd) {
  if (!refusal_.empty()) return {IoStatus::error};
  std::array<char, protocol::longest_proxy_header> buffer;
  const ssize_t there = ::recv(fd, buffer.data(), buffer.size(), MSG_PEEK);
  if (there == 0) return {IoStatus::end};
  if (there < 0) {
    if (errno == EAGAIN || errno == EINTR) return {IoStatus::again};
    refusal_ = std::strerror(errno);
    return {IoStatus::error};
  }
  auto parsed = protocol::parse_proxy_header({buffer.data(), static_cast<size_t>(there)});
  if (!parsed) {
    refusal_ = parsed.error().detail;
    return {IoStatus::error};
  }
  if (!*parsed) return {IoStatus::again};
  header_ = std::move(**parsed);
  // All of it is there, so one call takes it.
  (void)::recv(fd, buffer.data(), header_->size, 0);
  return {IoStatus::done};
}

std::unique_ptr<net::PeerFacts> ProxyProtocolTransport::take_peer_facts() {
  auto facts = inner_->take_peer_facts();
  if (!header_ || !header_->source) return facts;
  if (!facts) facts = std::make_unique<net::PeerFacts>();
  facts->source = header_->source;
  facts->destination = header_->destination;
  return facts;
}

}  // namespace

std::unique_ptr<net::Transport> make_proxy_protocol_transport(std::unique_ptr<net::Transport> inner,
                                                              bool trusted) {
  return std::make_unique<ProxyProtocolTransport>(std::move(inner), trusted);
}

}  // namespace usher::proxy
