#include "bench/payload.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "bench/fail.h"

namespace usher::bench {

namespace {
constexpr size_t kBytes = 1 << 20;
}

Payload::Payload() : file_(::memfd_create("payload", MFD_CLOEXEC)) {
  if (file_ < 0 || ::ftruncate(file_, kBytes) < 0) fail_errno("memfd_create");
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (memory == MAP_FAILED) fail_errno("mmap");
  auto* bytes = static_cast<char*>(memory);
  for (size_t i = 0; i < kBytes; ++i) {
    bytes[i] = static_cast<char>('a' + i % 23);
  }
  bytes_ = {bytes, kBytes};
}

Payload::~Payload() {
  ::munmap(const_cast<char*>(bytes_.data()), kBytes);
  ::close(file_);
}

size_t Payload::send(int socket, size_t left) const {
  off_t offset = 0;
  ssize_t sent = ::sendfile(socket, file_, &offset, std::min(left, kBytes));
  if (sent < 0 && errno != EAGAIN) fail_errno("sendfile");
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

}  // namespace usher::bench
