// Whoever carries out the store's commands: one server, or a cluster of them.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/pending.h"
#include "base/result.h"
#include "routing/redis/reply.h"

namespace usher::routing::redis {

class Redis {
 public:
  using Answered = std::function<void(Result<Reply>)>;

  // Is told of every change of state, and of every call's end.
  struct Watcher {
    virtual void on_store_up() = 0;
    virtual void on_store_down(const Error& why) = 0;
    // A call ended: with an answer, or with an error (nullptr: none).
    virtual void on_store_call(const Error* error,
                               std::optional<std::chrono::microseconds> round_trip);

   protected:
    ~Watcher() = default;
  };

  virtual ~Redis() = default;

  // Carries out one command about one key, the one that `words` name. Answers in a later turn; with
  // store_timeout after settings.timeout, with store_down when it is known that it would fail.
  // Commands must be fit to be carried out twice.
  virtual Pending call(std::string_view key, std::initializer_list<std::string_view> words,
                       Answered answered) = 0;

  // False while every command is known to fail.
  virtual bool available() const = 0;
};

}  // namespace usher::routing::redis
