// The bytes of a large body: a file in memory that sendfile() repeats, so that whoever sends it
// copies nothing.
#pragma once

#include <cstddef>
#include <string_view>

namespace usher::bench {

class Payload {
 public:
  Payload();
  Payload(const Payload&) = delete;
  Payload& operator=(const Payload&) = delete;
  ~Payload();

  // Sends up to `left` bytes to a socket. Returns how many the socket took; 0: none now.
  size_t send(int socket, size_t left) const;
  // The same bytes, for whoever must encrypt them.
  std::string_view bytes() const { return bytes_; }

 private:
  int file_;
  std::string_view bytes_;
};

}  // namespace usher::bench
