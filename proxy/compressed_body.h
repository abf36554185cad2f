// A response's body that is compressed on its way to the client. What it was given in one turn of
// the loop leaves at the end of that turn: a stream is never held back, and many small pieces are
// flushed together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "net/loop.h"
#include "protocol/gzip_encoder.h"

namespace usher::proxy {

class Requester;

class CompressedBody final : private net::TurnEnd {
 public:
  // `length`, if it is known, is of the whole body.
  CompressedBody(net::Loop& loop, Requester& client, int level, std::optional<uint64_t> length);
  ~CompressedBody();

  void send(std::span<const char> data);
  // All that it was given, now.
  void flush();
  // The end of the body. The client's own send_end() is left to the caller.
  void end();
  // Nothing is sent any more: the body ends here, or breaks off.
  void stop();

  uint64_t plain_bytes() const { return plain_bytes_; }  // it was given
  uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  void on_turn_end() override;
  void encode(std::span<const char> data, protocol::GzipEncoder::Then then);

  net::Loop& loop_;
  Requester& client_;
  protocol::GzipEncoder encoder_;
  uint64_t plain_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
  bool unflushed_ = false;  // on_turn_end() will come
};

}  // namespace usher::proxy
