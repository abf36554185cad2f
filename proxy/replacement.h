// Opens a websocket again at another replica: finds the client's home, waits for its turn there and
// for a place, connects, and says the opening handshake. One attempt: it ends with exactly one of
// the user's two calls.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/pending.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "proxy/replica_connection.h"
#include "proxy/snapshot.h"
#include "proxy/websocket.h"
#include "routing/session_directory.h"

namespace usher::proxy {

class Worker;

class Replacement final : public net::Mortal, private ReplicaConnectionUser {
 public:
  struct Opened {
    std::unique_ptr<net::Stream> stream;
    routing::Home home;  // its replica is good until the call returns
    routing::Place place;
  };
  class User {
   public:
    virtual void on_replaced(Opened opened) = 0;
    // `final`: there is no use in another attempt.
    virtual void on_not_replaced(Error why, bool final) = 0;

   protected:
    ~User() = default;
  };

  enum class Aim : uint8_t {
    home,       // wherever the client lives; that may be the replica that is left
    any_other,  // its replica has just failed
  };

  // `record` has the replica that is left; it outlives this. `newcomer` is to be the home from now
  // on (SessionClaim::turn_at), or nullptr.
  Replacement(Worker& worker, const TunnelRecord& record, User& user, Aim aim,
              const routing::ReplicaStatus* newcomer);
  ~Replacement() override;

  // The user hears in a later turn of the loop.
  void start();
  void close();

 private:
  void begin();
  void find_home();
  void settle(routing::Home home);
  void on_turn();
  bool gave_up_lost_home();
  void enter();
  void lease();
  void on_replica_ready() override;
  void on_replica_head(protocol::ResponseHead head) override;
  void on_replica_data(std::span<const char>) override {}
  void on_replica_end(protocol::Headers) override;
  void on_replica_writable() override {}
  void on_replica_error(Error error) override;
  void fail(Error error, bool final = false);

  Worker& worker_;
  const TunnelRecord& record_;
  User& user_;
  const Aim aim_;
  std::shared_ptr<const Snapshot> snapshot_;
  const routing::Upstream* upstream_ = nullptr;
  const routing::Replica* avoid_ = nullptr;
  conf::UpstreamTimeouts timeouts_;
  routing::SessionClaim claim_;
  routing::Home home_;
  Pending lookup_;
  routing::Place place_;
  protocol::RequestHead handshake_;
  std::unique_ptr<ReplicaConnection> replica_;
  net::Timer<&Replacement::on_turn> turn_;
  bool over_ = false;
};

}  // namespace usher::proxy
