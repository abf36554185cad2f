// RESP2, the protocol of Redis and Valkey: commands to bytes, bytes to replies. The one file that
// knows hiredis, 0.14 or 1.x. Replies are bounded: a server that goes mad, or speaks RESP3, costs
// its connection, not our memory.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "routing/redis/reply.h"

struct redisReader;

namespace usher::routing::redis {

std::string format_command(std::span<const std::string_view> words);

class ReplyReader final {
 public:
  static constexpr size_t most_bytes = 1024 * 1024;  // of one reply
  static constexpr size_t most_elements = 16 * 1024;
  static constexpr size_t most_depth = 7;

  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(std::span<const char> bytes);
  // The next whole reply, if it is there. An error means that the connection is of no more use.
  Result<std::optional<Reply>> next();

 private:
  struct Budget {
    size_t bytes = 0;
    size_t elements = 0;
    std::string refused;  // why; empty: it is not
  };
  struct Builder;
  struct Free {
    void operator()(redisReader* reader) const;
  };

  Budget budget_;
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace usher::routing::redis
