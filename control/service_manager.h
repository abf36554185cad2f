// Tells systemd, or whoever else speaks its protocol (sd_notify(3)), how the service is. Without
// $NOTIFY_SOCKET nobody is told, and nothing waits for anybody.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace usher::control {

class ServiceManager final {
 public:
  // Of $NOTIFY_SOCKET.
  ServiceManager();

  bool present() const { return !socket_.empty(); }
  void ready() const { tell("READY=1\nSTATUS=serving"); }
  void reloading() const;
  void reloaded(std::string_view status) const;
  void stopping() const { tell("STOPPING=1\nSTATUS=draining"); }
  // The service's main process is another one from now on.
  void replaced_by(pid_t pid) const;

 private:
  void tell(std::string_view text) const;

  std::string socket_;
};

}  // namespace usher::control
