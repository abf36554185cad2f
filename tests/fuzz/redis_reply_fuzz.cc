// A server's bytes: read at once and in small pieces they must give the same replies, none above
// its bounds.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "routing/redis/resp.h"

namespace {

using usher::routing::redis::Reply;
using usher::routing::redis::ReplyReader;

struct Measure {
  size_t bytes = 0;
  size_t elements = 0;
};

void show(const Reply& reply, std::string& out, Measure& measure) {
  out += static_cast<char>('0' + static_cast<int>(reply.kind));
  out.append(std::to_string(reply.integer)).append(reply.text).append("(");
  measure.bytes += reply.text.size();
  measure.elements += reply.array.size();
  for (const Reply& element : reply.array)
    show(element, out, measure);
  out += ")";
}

// False when nothing more is to be expected of the connection.
bool read_all(ReplyReader& reader, std::string& out) {
  while (true) {
    auto reply = reader.next();
    if (!reply) return false;
    if (!*reply) return true;
    Measure measure;
    show(**reply, out, measure);
    if (measure.bytes > ReplyReader::most_bytes) std::abort();
    if (measure.elements > ReplyReader::most_elements) std::abort();
  }
}

std::string read_in_pieces(std::span<const char> bytes, size_t piece) {
  ReplyReader reader;
  std::string out;
  while (!bytes.empty()) {
    const size_t size = std::min(piece, bytes.size());
    reader.feed(bytes.first(size));
    bytes = bytes.subspan(size);
    if (!read_all(reader, out)) return out + "broken";
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const char> bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = 1 + data[0] % 32;
  if (read_in_pieces(bytes, size) != read_in_pieces(bytes, piece)) std::abort();
  return 0;
}
