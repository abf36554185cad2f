#include "control/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"

namespace usher::control {

ServiceManager::ServiceManager() {
  if (const char* socket = std::getenv("NOTIFY_SOCKET")) socket_ = socket;
}

void ServiceManager::reloading() const {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
}

void ServiceManager::reloaded(std::string_view status) const {
  tell("READY=1\nSTATUS=" + std::string(status));
}

void ServiceManager::replaced_by(pid_t pid) const {
  tell("READY=1\nSTATUS=serving\nMAINPID=" + std::to_string(pid));
}

void ServiceManager::tell(std::string_view text) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool known = socket_.starts_with('/') || socket_.starts_with('@');
  if (!known || socket_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // of the abstract namespace
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return;
  // A manager that does not listen is no reason to stop serving.
  [[maybe_unused]] const auto sent =
      ::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&address), length);
}

}  // namespace usher::control
