// One connection at a time to one server: found, connected, over TLS where it is asked for, and
// greeted (AUTH, SELECT); then bytes out and replies in. Its owner decides what a reply means, and
// whether and when to connect again.
//
// A server that was reached is not yet one that serves: until the owner vouches for it, its failure
// leads to the next address that the finder gave.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/pending.h"
#include "base/random.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "routing/redis/resp.h"
#include "routing/redis/server_finder.h"

namespace usher::routing::redis {

// Makes what a new connection to this host speaks through: plain, or TLS that verifies the host.
using MakeTransport = std::function<std::unique_ptr<net::Transport>(const std::string& host)>;

// Commands that are sent before anything else, each of which must be answered without a refusal.
using Greeting = std::vector<std::vector<std::string>>;

class Connection final : private net::StreamHandler {
 public:
  static constexpr Duration opening_time = std::chrono::seconds(2);      // until it is vouched for
  static constexpr Duration least_rest = std::chrono::milliseconds(50);  // doubling
  static constexpr Duration most_rest = std::chrono::seconds(2);
  // A connection that lived for less is no ground for haste.
  static constexpr Duration settled = std::chrono::seconds(1);

  struct Owner {
    // Greeted. Replies to what is written from now on follow, in order. Called again, without
    // on_lost(), when a server that nobody had vouched for failed and another was reached.
    virtual void on_connected() = 0;
    virtual void on_reply(Reply reply) = 0;
    // There is no connection (any more). was_settled: it was vouched for, and lived for a while.
    virtual void on_lost(const Error& why, bool was_settled) = 0;

   protected:
    ~Owner() = default;
  };

  Connection(net::Loop& loop, std::unique_ptr<ServerFinder> finder, MakeTransport make_transport,
             Greeting greeting, Owner& owner);
  ~Connection() { drop(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins at once, or after a rest that doubles from one attempt to the next, with jitter.
  void connect();
  void connect_later();
  // The server is fit for its purpose.
  void vouch();
  // It is not, or no longer: as if it had closed the connection.
  void give_up(const Error& why);
  // Ends all without a word.
  void drop();

  void write(std::string_view bytes) { stream_->write(bytes); }
  bool vouched() const { return state_ == State::vouched; }
  // Bytes that any server of this connection has ever sent.
  uint64_t heard() const { return heard_; }

 private:
  enum class State : uint8_t { none, looking, connecting, greeting, connected, vouched };

  void connect_next();
  void on_greeted(const Reply& reply);
  void on_opening_time();

  // StreamHandler
  void on_stream_open() override;
  size_t on_stream_data(std::span<const char> data) override;
  void on_stream_end() override;
  void on_stream_writable() override {}
  void on_stream_error(Error error) override;

  net::Loop& loop_;
  std::unique_ptr<ServerFinder> finder_;
  MakeTransport make_transport_;
  const Greeting greeting_;
  Owner& owner_;

  State state_ = State::none;
  Pending finding_;
  std::vector<ServerAddress> servers_;
  size_t next_server_ = 0;
  std::unique_ptr<net::Stream> stream_;
  std::optional<ReplyReader> reader_;
  size_t greetings_due_ = 0;
  uint64_t heard_ = 0;
  MonotonicTime vouched_at_;
  Duration rest_time_ = least_rest;
  Jitter jitter_ = make_jitter();
  net::Timer<&Connection::connect> rest_{loop_, *this};
  net::Timer<&Connection::on_opening_time> opening_{loop_, *this};
};

}  // namespace usher::routing::redis
