// One question put to several servers in turn, each over a connection of its own, until one gives
// an answer of use; who gave it is asked first the next time. For what is asked seldom: who is the
// master, which slots are where.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/pending.h"
#include "base/result.h"
#include "net/timer.h"
#include "routing/redis/access.h"
#include "routing/redis/reply.h"

namespace usher::routing::redis {

class Inquiry final : private PendingAnswer, private Connection::Owner {
 public:
  // For one server, its name's addresses together.
  static constexpr Duration patience = std::chrono::seconds(1);

  // Takes out of a reply what was asked for, or says why it is of no use. `host` is who said it.
  using Judge = std::function<Outcome(const Reply& reply, const std::string& host)>;
  using Done = std::function<void(Outcome)>;

  // greeting: for every server. password: for one that answers NOAUTH, and only for such a one.
  Inquiry(const Access& access, std::vector<conf::Endpoint> servers, Greeting greeting,
          Greeting password);

  void use(std::vector<conf::Endpoint> servers);
  // Whoever answered last had asked for the password.
  bool password_was_wanted() const { return password_sent_; }
  // One at a time. `done` comes in a later turn, with the last server's error if none was of use.
  Pending ask(std::vector<std::string> words, Judge judge, Done done);

 private:
  void cancel() noexcept override;
  void ask_next();
  void finish(Outcome outcome);
  void on_patience();

  // Connection::Owner
  void on_connected() override;
  void on_reply(Reply reply) override;
  void on_lost(const Error& why, bool was_settled) override;

  size_t server_count_;
  const Greeting password_;
  NamedServers* servers_;  // the connection's
  Connection connection_;
  std::string question_;
  Judge judge_;
  Done done_;
  size_t left_ = 0;
  size_t passwords_due_ = 0;
  bool password_sent_ = false;
  Error last_error_;
  net::Timer<&Inquiry::on_patience> patience_;
};

}  // namespace usher::routing::redis
