// One pipelined connection to a Redis or Valkey server over our own Stream, with hiredis's reader and
// formatter: AUTH and SELECT, a deadline for each command, reconnection with backoff and jitter.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/pending.h"
#include "base/result.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "net/resolver.h"

namespace usher::routing::redis {

// A reply as RESP2 has it. Errors of the server ("-OOM …") come as Error{store_error}, not as a Reply.
struct Reply {
  enum class Kind : uint8_t { nil, integer, text, array };
  Kind kind = Kind::nil;
  int64_t integer = 0;
  std::string text;
  std::vector<Reply> array;
};

class RedisClient final {
 public:
  using Answered = std::function<void(Result<Reply>)>;

  // Connects at once and stays connected; `up` and `down` are told of every change of state.
  struct Watcher {
    virtual void on_store_up() = 0;
    virtual void on_store_down(const Error& why) = 0;

   protected:
    ~Watcher() = default;
  };

  RedisClient(net::Loop& loop, net::Resolver& resolver, const conf::StoreSettings& settings,
              Watcher& watcher);
  ~RedisClient();

  // Sends one command. Fails at once (next turn) while not connected, or while an earlier command is
  // overdue; with store_timeout after settings.timeout.
  Pending call(std::initializer_list<std::string_view> command, Answered answered);

  bool available() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace usher::routing::redis
