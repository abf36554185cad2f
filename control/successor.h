// The process that is to replace this one: the same command line, by whatever binary it names now,
// with this one's listening sockets (control/inheritance.h). It is awaited until it says that it is
// ready; one that does not is ended.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "control/inheritance.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"

namespace usher::control {

// What it is given. The descriptors stay their owner's.
struct Bequest {
  struct Socket {
    int fd;
    std::string name;
  };
  std::vector<std::string> command;
  std::vector<Socket> sockets;
  int line_to_first = -1;
  int line_to_reader = -1;  // there is none
};

class Successor final : private net::StreamHandler {
 public:
  // Called once: it is ready and accepts; or why it never will be, and then it has been ended. The
  // Successor must outlive this call.
  using Settled = std::function<void(const Outcome&)>;

  // An error: the binary could not be started.
  static Result<std::unique_ptr<Successor>> start(net::Loop& loop, const Bequest& bequest,
                                                  Settled settled);
  // One that is not ready is ended.
  ~Successor();

  pid_t pid() const { return pid_; }
  // It has said so.
  bool ready() const { return said_ == handover::ready; }

 private:
  Successor(net::Loop& loop, pid_t pid, Fd line, Settled settled);

  void on_stream_open() override {}
  size_t on_stream_data(std::span<const char> data) override;
  void on_stream_end() override { fail({}); }
  void on_stream_writable() override {}
  void on_stream_error(Error error) override { fail(std::move(error.detail)); }
  void on_deadline();
  void fail(std::string reason);
  void close();
  // Ends it, and says how it ended.
  std::string end_process();

  net::Loop& loop_;
  pid_t pid_;
  Settled settled_;
  std::unique_ptr<net::Stream> stream_;
  std::string said_;
  net::Timer<&Successor::on_deadline> deadline_;
};

}  // namespace usher::control
