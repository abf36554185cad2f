// Names to addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/pending.h"
#include "base/result.h"

namespace usher::net {

class Resolver {
 public:
  // Every IPv4 and IPv6 address, each once, sorted.
  using Answer = std::function<void(Result<std::vector<SocketAddress>>)>;

  virtual ~Resolver() = default;

  // Answers in a later turn of the asker's loop. A numeric address is its own answer.
  virtual Pending resolve(std::string host, uint16_t port, Answer answer) = 0;

 protected:
  Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // As answers are: each once.
  static void sort(std::vector<SocketAddress>& addresses);
};

}  // namespace usher::net
