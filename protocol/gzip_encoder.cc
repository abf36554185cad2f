#include "protocol/gzip_encoder.h"

#define ZLIB_CONST  // what is fed is not written to
#include <zlib.h>

#include <algorithm>
#include <new>

namespace usher::protocol {
namespace {

constexpr int gzip_wrapper = 16;  // added to the window bits
constexpr int largest_window = 15;
constexpr int usual_memory = 8;
// zlib looks for repetitions in so much less than its window.
constexpr uint64_t unused_window = 262;

// As nginx: each halving of the window that a short body leaves unused is left off.
int halvings(std::optional<uint64_t> length) {
  int number = 0;
  while (length && *length + unused_window < (uint64_t{1} << (largest_window - 1 - number)))
    ++number;
  return number;
}

int flush_of(GzipEncoder::Then then) {
  switch (then) {
    case GzipEncoder::Then::more: return Z_NO_FLUSH;
    case GzipEncoder::Then::flush: return Z_SYNC_FLUSH;
    case GzipEncoder::Then::end: return Z_FINISH;
  }
  return Z_NO_FLUSH;
}

}  // namespace

struct GzipEncoder::State {
  z_stream stream{};
};

GzipEncoder::GzipEncoder(int level, std::optional<uint64_t> length)
    : state_(std::make_unique<State>()) {
  const int less = halvings(length);
  const int made =
      deflateInit2(&state_->stream, level, Z_DEFLATED, largest_window - less + gzip_wrapper,
                   std::max(usual_memory - less, 1), Z_DEFAULT_STRATEGY);
  if (made != Z_OK) throw std::bad_alloc();
}

GzipEncoder::~GzipEncoder() { deflateEnd(&state_->stream); }

void GzipEncoder::feed(std::span<const char> data) {
  state_->stream.next_in = reinterpret_cast<const Bytef*>(data.data());
  state_->stream.avail_in = static_cast<uInt>(data.size());
}

// zlib itself says no more when asked again for what it has done.
std::span<const char> GzipEncoder::next(std::span<char> into, Then then) {
  z_stream& stream = state_->stream;
  stream.next_out = reinterpret_cast<Bytef*>(into.data());
  stream.avail_out = static_cast<uInt>(into.size());
  deflate(&stream, flush_of(then));
  return into.first(into.size() - stream.avail_out);
}

}  // namespace usher::protocol
