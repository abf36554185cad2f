// Who else listens at an address: the kernel is asked by sock_diag(7).

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "net/listener.h"

namespace usher::net {
namespace {

constexpr uint32_t listening = 1U << 10;   // TCP_LISTEN
constexpr timeval patience{0, 100'000};    // the kernel answers at once
constexpr size_t answer_size = 32 * 1024;  // what it fills at a time

struct Question {
  nlmsghdr head;
  inet_diag_req_v2 body;
};

std::span<const uint8_t> host_of(const SocketAddress& address) {
  if (address.family() == AF_INET6) {
    const auto& in6 = *reinterpret_cast<const sockaddr_in6*>(address.data());
    return in6.sin6_addr.s6_addr;
  }
  const auto& in4 = *reinterpret_cast<const sockaddr_in*>(address.data());
  return {reinterpret_cast<const uint8_t*>(&in4.sin_addr), sizeof in4.sin_addr};
}

std::vector<uint32_t> inodes_of(std::span<const Fd> sockets) {
  std::vector<uint32_t> inodes;
  for (const Fd& fd : sockets) {
    struct stat info {};
    if (::fstat(fd.get(), &info) == 0) inodes.push_back(static_cast<uint32_t>(info.st_ino));
  }
  return inodes;
}

bool ask(const Fd& kernel, const SocketAddress& address) {
  Question question{};
  question.head.nlmsg_len = sizeof question;
  question.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.body.sdiag_family = static_cast<uint8_t>(address.family());
  question.body.sdiag_protocol = IPPROTO_TCP;
  question.body.idiag_states = listening;
  question.body.id.idiag_sport = htons(address.port());
  return ::send(kernel.get(), &question, sizeof question, 0) == sizeof question;
}

}  // namespace

bool Listener::others_at(const SocketAddress& address, std::span<const Fd> ours) {
  const Fd kernel(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!kernel.valid()) return false;
  ::setsockopt(kernel.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (!ask(kernel, address)) return false;
  const std::vector<uint32_t> own = inodes_of(ours);
  const std::span<const uint8_t> host = host_of(address);
  alignas(nlmsghdr) std::array<char, answer_size> answer;
  while (true) {
    const ssize_t got = ::recv(kernel.get(), answer.data(), answer.size(), 0);
    if (got <= 0) return false;
    size_t at = 0;
    while (at + sizeof(nlmsghdr) <= static_cast<size_t>(got)) {
      nlmsghdr head;
      std::memcpy(&head, answer.data() + at, sizeof head);
      if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;  // its end, or an error
      inet_diag_msg found;
      if (head.nlmsg_len < sizeof head + sizeof found || head.nlmsg_len > got - at) return false;
      std::memcpy(&found, answer.data() + at + sizeof head, sizeof found);
      const bool here = found.id.idiag_sport == htons(address.port()) &&
                        std::memcmp(found.id.idiag_src, host.data(), host.size()) == 0;
      if (here && std::ranges::find(own, found.idiag_inode) == own.end()) return true;
      at += NLMSG_ALIGN(head.nlmsg_len);
    }
  }
}

}  // namespace usher::net
