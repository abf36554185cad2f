// Runs a piece of work in a later turn of the same thread's loop. What pure code (routing/) knows
// of the event loop, so that an answer is never delivered inside the call that asked.
#pragma once

#include <functional>

namespace usher {

class Executor {
 public:
  virtual void later(std::function<void()> work) = 0;

 protected:
  ~Executor() = default;
};

}  // namespace usher
