// Commands to one server over one pipelined Connection: a deadline for each, and the server's
// health from what it answers.
//
// Nothing waits twice: while a command is overdue, or the server is away or says that it cannot
// serve (LOADING, READONLY, …), calls fail in the next turn. Late answers are taken off in their
// order and dropped. A connection that the server closed because it was idle is made anew without
// anybody noticing: what was sent into it is sent once more.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/timer.h"
#include "routing/redis/access.h"
#include "routing/redis/redis.h"

namespace usher::routing::redis {

class RedisClient final : public Redis, private Connection::Owner {
 public:
  // A member of a cluster serves some keys, and for others says where they are (MOVED).
  enum class Role : uint8_t { alone, member };

  // Connects at once and stays connected. settings and watcher outlive the client. It is not to be
  // destroyed from inside an answer.
  RedisClient(const Access& access, Watcher& watcher);
  RedisClient(const Access& access, std::unique_ptr<ServerFinder> finder, Role role,
              Watcher& watcher);
  ~RedisClient() override;
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  Pending call(std::string_view key, std::initializer_list<std::string_view> words,
               Answered answered) override;
  // One command, ready-made. `asking`: of a slot that is on its way to this member (ASK).
  Pending send(std::string command, bool asking, Answered answered);

  bool available() const override { return health_ == Health::up; }
  // It is not yet known whether the server serves.
  bool undecided() const { return health_ == Health::unknown; }

 private:
  struct Command;
  using Commands = std::deque<std::unique_ptr<Command>>;
  enum class Health : uint8_t { unknown, up, down };
  // What a refusal says of the server.
  enum class Ailment : uint8_t {
    none,       // this command was refused; the next one may not be
    passing,    // it cannot serve yet: ask again over the same connection
    elsewhere,  // it will not serve us: connect anew, where a failover may have moved the name
  };
  static Ailment ailment_of(std::string_view refusal);

  // Connection::Owner
  void on_connected() override;
  void on_reply(Reply reply) override;
  void on_lost(const Error& why, bool was_settled) override;

  // Commands and their answers.
  void put_on_the_wire(std::unique_ptr<Command> command);
  void send_probe();
  void on_probed(const Error* refused);
  bool serves(std::string_view refusal) const;
  void deliver(Command& command, Result<Reply> result);
  void fail_soon(std::unique_ptr<Command> command, const Error& why);
  void watch_deadlines();

  // State.
  void ail(Ailment ailment, const Error& why);
  void recover();
  void set_down(const Error& why);

  // Timers.
  void on_deadline();
  void on_stall();
  void on_probe_time();
  void on_soon();

  net::Loop& loop_;
  const Duration timeout_;
  const Duration stall_time_;
  const Role role_;
  Watcher& watcher_;
  const std::string probe_;
  Connection connection_;

  Health health_ = Health::unknown;
  bool ailing_ = false;  // connected, but it says that it cannot serve

  Commands sent_;    // in the order in which replies come; the first overdue_ of them are overdue
  Commands unsent_;  // wait for a connection that is just being made anew
  size_t overdue_ = 0;
  uint64_t heard_before_ = 0;  // bytes, when sent_ was last empty
  std::vector<std::pair<std::unique_ptr<Command>, Error>> failed_;

  net::Timer<&RedisClient::on_deadline> deadline_{loop_, *this};
  net::Timer<&RedisClient::on_stall> stall_{loop_, *this};
  net::Timer<&RedisClient::on_probe_time> probe_time_{loop_, *this};
  net::Timer<&RedisClient::on_soon> soon_{loop_, *this};
};

}  // namespace usher::routing::redis
