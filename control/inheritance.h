// What this process was started with by another one: listening sockets, from systemd's socket
// activation (sd_listen_fds(3)) or from the usher that it replaces; to that one, a line to say how
// the start went; and a line to the process that was there first, which stays as their parent
// (control/lineage.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/fd.h"

namespace usher::control {

// The names of the variables by which sockets and lines are passed on.
namespace handover {
constexpr const char* count = "LISTEN_FDS";
constexpr const char* names = "LISTEN_FDNAMES";
constexpr const char* pid = "LISTEN_PID";
constexpr const char* predecessor = "USHER_PREDECESSOR";
constexpr const char* first = "USHER_FIRST";
constexpr const char* reader = "USHER_READER";
constexpr int first_fd = 3;
// What is written to the predecessor.
constexpr std::string_view ready = "ready\n";
}  // namespace handover

class Inheritance final {
 public:
  Inheritance() = default;  // of nothing
  // Takes all that the environment tells of, and takes it out of the environment: nobody else
  // inherits it. Descriptors that are no listening sockets are left alone.
  static Inheritance take();

  // The sockets that listen at one of these addresses. With port 0, those at the first port that is
  // left of what the predecessor had under this name: ports that the kernel chose are passed on in
  // their order. Empty: there are none.
  std::vector<Fd> claim(const std::vector<SocketAddress>& wanted, std::string_view name);
  // The addresses of those that nobody has claimed; they are closed.
  std::vector<std::string> drop_rest();

  // It replaces a running usher, which waits for one of these.
  bool has_predecessor() const { return predecessor_.valid(); }
  void say_ready();
  void say_failed(std::string_view why);

  // The line to the process that stays; not valid: this one is the first.
  Fd take_line_to_first() { return std::move(line_to_first_); }
  // To the process that reads files as root (control/file_reader.h); not valid: there is none.
  Fd take_line_to_reader() { return std::move(line_to_reader_); }

 private:
  struct Socket {
    Fd fd;
    SocketAddress address;
    std::string name;
  };

  void say(std::string_view text);

  std::vector<Socket> sockets_;
  Fd predecessor_;
  Fd line_to_first_;
  Fd line_to_reader_;
};

}  // namespace usher::control
