// One thread's event loop, and the end of its turn: what was written leaves, what was closed is
// freed. Everything but post() and stop() belongs to the thread that runs it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/fd.h"

struct event_base;

namespace usher::net {

class Stream;

// What can be buried: freed when the stack is empty, never under its own feet.
class Mortal {
 public:
  virtual ~Mortal() = default;

 protected:
  Mortal() = default;
  Mortal(const Mortal&) = delete;
  Mortal& operator=(const Mortal&) = delete;
};

// What collects in one turn and goes out at its end.
class TurnEnd {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEnd() = default;
};

class Loop final : public Executor {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Returns after stop().
  void run();
  // Runs what is ready and returns: a signal, say, that was caught as run() ended.
  void run_ready();
  // From any thread.
  void stop();

  // Runs work at the end of this turn or in the next one; never inside the caller.
  void later(std::function<void()> work) override;
  // The mailbox: the only door from other threads. Work posted after run() returned is dropped.
  void post(std::function<void()> work);
  // Frees the object after everything that runs in this turn has returned.
  void bury(std::unique_ptr<Mortal> dead);

  // Frees what is buried, and what that buries. Only outside of run(): the loop does it by itself.
  void free_buried();

  // Monotonic time; read once a turn.
  MonotonicTime now();

  // A buffer that whoever reads may use until it returns to the loop. 64 KiB.
  std::span<char> scratch() { return scratch_; }

  // An empty string with at least this capacity, for what a stream writes in this turn; what has
  // been sent is given back. So an idle stream holds no memory, and a busy one asks the allocator
  // for none.
  static constexpr size_t buffer_size = 4 * 1024;
  std::string borrow_buffer();
  void give_back(std::string buffer);

  // Calls on_turn_end() once at the end of this turn, before the next wait. Whoever goes before
  // that calls forget().
  void at_turn_end(TurnEnd& who);
  void forget(TurnEnd& who);

  event_base* base() { return base_; }

 private:
  friend class Stream;
  // Calls Stream::on_continue() once in the next turn, after sockets have been polled: a busy
  // stream does not starve the others.
  void at_next_turn(Stream& stream);
  void forget(Stream& stream);
  // Calls Stream::on_broken() when the connection is reset, or ended from both sides. libevent
  // reports an error as readiness to read and write, which a socket with data also is.
  bool watch_for_breaks(int fd, Stream& stream);

  void on_turn_end();
  void on_next_turn();
  void on_mail();
  void on_breaks();

  struct Events;

  event_base* base_;
  std::unique_ptr<Events> events_;
  std::vector<char> scratch_;
  std::vector<std::string> spare_buffers_;
  std::vector<TurnEnd*> flushing_;
  std::vector<Stream*> continuing_;
  std::vector<std::function<void()>> later_;
  std::vector<std::unique_ptr<Mortal>> dead_;

  Fd breaks_fd_;  // an epoll beside libevent's; a stream leaves it when it closes
  Fd mail_fd_;
  std::mutex mail_mutex_;
  std::vector<std::function<void()>> mail_;
};

}  // namespace usher::net
