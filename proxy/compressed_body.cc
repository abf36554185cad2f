#include "proxy/compressed_body.h"

#include <array>
#include <utility>

#include "proxy/requester.h"

namespace usher::proxy {

using Then = protocol::GzipEncoder::Then;

CompressedBody::CompressedBody(net::Loop& loop, Requester& client, int level,
                               std::optional<uint64_t> length)
    : loop_(loop), client_(client), encoder_(level, length) {}

CompressedBody::~CompressedBody() { stop(); }

void CompressedBody::send(std::span<const char> data) {
  plain_bytes_ += data.size();
  encode(data, Then::more);
  if (!std::exchange(unflushed_, true)) loop_.at_turn_end(*this);
}

void CompressedBody::flush() { encode({}, Then::flush); }

void CompressedBody::end() {
  stop();
  encode({}, Then::end);
}

void CompressedBody::stop() {
  if (std::exchange(unflushed_, false)) loop_.forget(*this);
}

void CompressedBody::on_turn_end() {
  unflushed_ = false;
  flush();
}

void CompressedBody::encode(std::span<const char> data, Then then) {
  std::array<char, size_t{16} * 1024> buffer;
  encoder_.feed(data);
  for (auto piece = encoder_.next(buffer, then); !piece.empty();
       piece = encoder_.next(buffer, then)) {
    sent_bytes_ += piece.size();
    client_.send_data(piece);
  }
}

}  // namespace usher::proxy
