// SIGUSR2: how another process takes over from this one without a connection lost. The other is
// started with this one's sockets and accepts at them before this one stops to.

#include <unistd.h>

#include <csignal>

#include "control/server.h"

namespace usher::control {

bool Server::pass_on(int signal) {
  if (replaced_ && lineage_) lineage_->pass_on(signal);
  return replaced_;
}

void Server::replace_on_signal() {
  if (pass_on(SIGUSR2)) return;
  if (!open_ || draining_ || successor_) {
    return log_.warning("replace_failed",
                        {{"reason", successor_  ? "a replacement is being started"
                                    : draining_ ? "this process is draining"
                                                : "this process has not started yet"}});
  }
  if (const Outcome started = start_successor(); !started) {
    log_.error("replace_failed", {{"reason", started.error().detail}});
  }
}

Outcome Server::start_successor() {
  if (!line_to_first_.valid() && !lineage_) lineage_ = std::make_unique<Lineage>();
  Bequest bequest{.command = command_,
                  .sockets = listeners_.to_pass_on(),
                  .line_to_first = lineage_ ? lineage_->line() : line_to_first_.get()};
  const Fd line_to_reader = reader_ ? reader_->another_line() : Fd();
  bequest.line_to_reader = line_to_reader.get();
  if (admin_fd_.valid()) bequest.sockets.push_back({admin_fd_.get(), admin_name});
  auto started = Successor::start(loop_, bequest, [this](const Outcome& ready) {
    // Not inside its own call.
    loop_.later([this, ready] { on_successor(ready); });
  });
  if (!started) return std::move(started).error();
  successor_ = std::move(*started);
  log_.info("replacing", {{"pid", successor_->pid()}});
  return {};
}

// Whatever is wrong with it, this process serves on.
void Server::on_successor(const Outcome& ready) {
  if (!successor_) return;
  const pid_t pid = std::exchange(successor_, nullptr)->pid();
  if (!ready) {
    return log_.error("replace_failed", {{"pid", pid}, {"reason", ready.error().detail}});
  }
  replaced_ = true;
  log_.info("replaced", {{"pid", pid}});
  if (admin_) admin_->stop_accepting();
  admin_fd_.reset();
  line_to_first_.reset();
  if (lineage_) lineage_->let_go();
  if (!must_stay()) {
    service_manager_.replaced_by(pid);
    lineage_.reset();
  }
  leave(proxy::Departure::handing_over, settings_.timeouts.replaced);
}

// A service manager has been told who serves now. But the end of process 1 ends its container.
bool Server::must_stay() const { return !service_manager_.present() || ::getpid() == 1; }

}  // namespace usher::control
