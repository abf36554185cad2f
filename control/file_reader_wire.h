// What goes over the line between a process and its reader: one packet for a request, one or more
// for its answer. Private to control/file_reader.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace usher::control::reader_wire {

constexpr char wish_open = 'r';
constexpr char wish_look = 'l';  // a descriptor that tells of the file, and reads nothing
constexpr char wish_glob = 'g';
constexpr char wish_line = 'c';

struct RequestHead {
  uint32_t id;
  char wish;
};

struct AnswerHead {
  uint32_t id;
  int32_t error;
  uint8_t more;  // another packet of this answer follows
};

constexpr size_t most_text = 4096;

struct Packet {
  std::string text;
  Fd fd;
};

template <typename Head>
bool send(int line, const Head& head, std::string_view text, int fd = -1) {
  text = text.substr(0, most_text);
  iovec parts[] = {{const_cast<Head*>(&head), sizeof head},
                   {const_cast<char*>(text.data()), text.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const extra = CMSG_FIRSTHDR(&message);
    extra->cmsg_level = SOL_SOCKET;
    extra->cmsg_type = SCM_RIGHTS;
    extra->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(extra), &fd, sizeof fd);
  }
  return ::sendmsg(line, &message, MSG_NOSIGNAL) >= 0;
}

// Nothing: the line has ended, or that was no packet of ours.
template <typename Head>
std::optional<Packet> receive(int line, Head& head) {
  char text[most_text];
  iovec parts[] = {{&head, sizeof head}, {text, sizeof text}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t count = ::recvmsg(line, &message, MSG_CMSG_CLOEXEC);
  if (count < static_cast<ssize_t>(sizeof head)) return std::nullopt;
  Packet packet{{text, static_cast<size_t>(count) - sizeof head}, Fd()};
  const cmsghdr* const extra = CMSG_FIRSTHDR(&message);
  if (extra && extra->cmsg_type == SCM_RIGHTS && extra->cmsg_len == CMSG_LEN(sizeof(int))) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(extra), sizeof fd);
    packet.fd = Fd(fd);
  }
  return packet;
}

}  // namespace usher::control::reader_wire
