// A body as gzip (RFC 1952), in pieces of any size.
//
// Memory: 262 KiB for each encoder; less for a body that is known to be shorter than 16 KiB, down
// to 10 KiB.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace usher::protocol {

class GzipEncoder final {
 public:
  // `level` from 1 to 9. `length`, if it is known, is of the whole body.
  explicit GzipEncoder(int level, std::optional<uint64_t> length = std::nullopt);
  ~GzipEncoder();
  GzipEncoder(const GzipEncoder&) = delete;
  GzipEncoder& operator=(const GzipEncoder&) = delete;

  // The next piece of the body, below 4 GiB. It must stay until next() has returned nothing.
  void feed(std::span<const char> data);

  // What else is wanted when all that was fed has been taken in.
  enum class Then : uint8_t {
    more,   // nothing: the rest of the body will come
    flush,  // that the client can read all of it
    end,    // the end of the body; nothing can be fed any more
  };
  // The next bytes of what goes out, written to `into`, which has room for 16 or more. Empty: there
  // are no more for now; until then it is called again with the same `then`.
  std::span<const char> next(std::span<char> into, Then then);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace usher::protocol
