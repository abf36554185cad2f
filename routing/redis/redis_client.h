// One pipelined connection to a Redis or Valkey server over our own Stream, with hiredis's reader
// and formatter: AUTH and SELECT, a deadline for each command, reconnection with backoff and
// jitter.
//
// Nothing waits twice: while a command is overdue, or the server is away or says that it cannot
// serve (LOADING, READONLY, …), calls fail in the next turn. Late answers are taken off in their
// order and dropped. A connection that the server closed because it was idle is made anew without
// anybody noticing: what was sent into it is sent once more, so every command must be fit to be
// carried out twice.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/pending.h"
#include "base/result.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/transport.h"
#include "routing/redis/reply.h"
#include "routing/redis/server_finder.h"

namespace usher::routing::redis {

class RedisClient final {
 public:
  using Answered = std::function<void(Result<Reply>)>;
  // Makes what a new connection speaks through: plain, or TLS for rediss://.
  using MakeTransport = std::function<std::unique_ptr<net::Transport>()>;

  // Connects at once and stays connected; `up` and `down` are told of every change of state.
  struct Watcher {
    virtual void on_store_up() = 0;
    virtual void on_store_down(const Error& why) = 0;
    // A call ended: with an answer, or with an error (nullptr: none).
    virtual void on_store_call(const Error* error,
                               std::optional<std::chrono::microseconds> round_trip);

   protected:
    ~Watcher() = default;
  };

  // settings, resolver and watcher outlive the client. It is not to be destroyed from inside an
  // answer.
  RedisClient(net::Loop& loop, net::Resolver& resolver, const conf::StoreSettings& settings,
              Watcher& watcher);
  RedisClient(net::Loop& loop, std::unique_ptr<ServerFinder> finder, MakeTransport make_transport,
              const conf::StoreSettings& settings, Watcher& watcher);
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  // Sends one command. Fails at once (next turn) while not connected, or while an earlier command
  // is overdue; with store_timeout after settings.timeout.
  Pending call(std::initializer_list<std::string_view> command, Answered answered);

  bool available() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace usher::routing::redis
