// A thread to which no signal is delivered: they are the business of the main thread, which alone
// decides when it hears them.
#pragma once

#include <csignal>
#include <thread>
#include <utility>

namespace usher {

template <typename Work>
std::thread start_thread(Work&& work) {
  // It inherits the mask that holds as it is made.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::forward<Work>(work));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace usher
