#include "control/inheritance.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "base/strings.h"
#include "net/listener.h"

namespace usher::control {
namespace {

// More descriptors than that are a mistake in the environment.
constexpr int most_sockets = 4096;

std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text) return std::nullopt;
  const std::string_view digits(text);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// A descriptor that the environment names; it is not passed on by itself.
Fd descriptor_in(const char* variable) {
  const auto number = number_in(variable);
  ::unsetenv(variable);
  if (!number || *number < handover::first_fd) return Fd();
  if (::fcntl(*number, F_SETFD, FD_CLOEXEC) != 0) return Fd();
  return Fd(*number);
}

bool listens(int fd) {
  int on = 0;
  socklen_t length = sizeof on;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &length) == 0 && on != 0;
}

bool same_host(const SocketAddress& a, const SocketAddress& b) {
  return a.family() == b.family() && std::ranges::equal(a.ip_bytes(), b.ip_bytes());
}

}  // namespace

Inheritance Inheritance::take() {
  Inheritance taken;
  taken.predecessor_ = descriptor_in(handover::predecessor);
  taken.line_to_first_ = descriptor_in(handover::first);
  taken.line_to_reader_ = descriptor_in(handover::reader);
  // Where there is a predecessor, it has started this very process; its child's pid it did not
  // know.
  const bool ours = taken.has_predecessor() || number_in(handover::pid) == ::getpid();
  const int count = ours ? number_in(handover::count).value_or(0) : 0;
  const char* names_given = std::getenv(handover::names);
  const std::string names = names_given ? names_given : "";
  for (const char* variable : {handover::count, handover::names, handover::pid})
    ::unsetenv(variable);

  std::string_view rest = names;
  for (int i = 0; i < std::min(count, most_sockets); ++i) {
    const auto [name, others] = cut(rest, ':');
    rest = others.value_or("");
    const int number = handover::first_fd + i;
    if (!listens(number)) continue;
    Fd fd(number);
    net::Listener::prepare(fd);
    const SocketAddress address = net::Listener::bound_address(fd);
    taken.sockets_.push_back({std::move(fd), address, std::string(name)});
  }
  return taken;
}

std::vector<Fd> Inheritance::claim(const std::vector<SocketAddress>& wanted,
                                   std::string_view name) {
  std::vector<Fd> claimed;
  for (const SocketAddress& each : wanted) {
    SocketAddress at = each;
    if (!at.is_unix() && at.port() == 0) {
      const auto first = std::ranges::find_if(sockets_, [&](const Socket& socket) {
        return has_predecessor() && socket.name == name && same_host(socket.address, each);
      });
      if (first == sockets_.end()) continue;
      at = first->address;
    }
    for (Socket& socket : sockets_) {
      if (socket.address == at) claimed.push_back(std::move(socket.fd));
    }
    std::erase_if(sockets_, [](const Socket& socket) { return !socket.fd.valid(); });
    if (!claimed.empty()) break;
  }
  return claimed;
}

std::vector<std::string> Inheritance::drop_rest() {
  std::vector<std::string> addresses;
  for (const Socket& socket : sockets_)
    addresses.push_back(to_string(socket.address));
  sockets_.clear();
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

void Inheritance::say_ready() { say(handover::ready); }

void Inheritance::say_failed(std::string_view why) { say(why); }

void Inheritance::say(std::string_view text) {
  if (!predecessor_.valid()) return;
  // One who does not listen any more is no reason not to serve.
  [[maybe_unused]] const auto sent =
      ::send(predecessor_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  predecessor_.reset();
}

}  // namespace usher::control
