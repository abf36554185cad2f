// What a client's connection holds after a 101: a Tunnel that passes bytes on unread, or a
// SocketIoTunnel that outlives its replica. And what both tell the access log.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "net/channel.h"
#include "net/loop.h"
#include "proxy/connection_zone.h"
#include "proxy/log_plan.h"
#include "routing/replica_board.h"
#include "routing/replica_gate.h"
#include "routing/routes.h"

namespace usher::proxy {

struct RouteCounters;

class Worker;

// Why a websocket leaves its replica.
enum class MoveReason : uint8_t {
  closed,      // the replica said Close 1001 or 1012
  broken,      // its connection ended or was reset
  silent,      // not a byte for longer than Engine.IO allows
  down,        // the health checks say so
  drained,     // an operator wants it empty
  home,        // all other traffic of the client goes elsewhere
  rebalanced,  // a replica has joined that has fewer clients
};
inline constexpr size_t move_reasons = 7;
std::string_view name_of(MoveReason reason);

enum class MoveOutcome : uint8_t {
  moved,
  refused,      // it could not be carried on: the client was told to reconnect
  expired,      // no replica was up in time: likewise
  client_gone,  // the client did not wait
  stopped,      // it ended otherwise
};
inline constexpr size_t move_outcomes = 5;
std::string_view name_of(MoveOutcome outcome);

// What is needed to open it again at another replica.
struct Migration {
  std::string handshake;  // protocol::keep_request()
  std::shared_ptr<const std::vector<std::string>> replay;
  std::chrono::milliseconds park;  // how long it waits for a replica
  std::string route;               // the "@name" of one that its path does not lead to
};

// What stays of the exchange that opened it.
struct TunnelRecord {
  MonotonicTime started;
  std::string client;   // its address
  std::string session;  // the client's id in its affinity cookie
  std::string host;
  std::string target;
  const routing::Entrance* entrance = nullptr;  // its listener's, which outlives it
  RouteCounters* counters = nullptr;            // its route's, likewise
  KeptLines lines;                              // in the access logs
  std::string replica;
  uint64_t epoch = 0;  // of the client's home at that replica
  std::string request_id;
  std::string trace_id;
  std::string user_agent;
  std::string_view affinity;
  Duration first_byte{0};
  unsigned attempts = 0;
  std::chrono::milliseconds idle_limit{0};
  std::shared_ptr<routing::ReplicaStatus> status;
  routing::Place place;                  // at the replica
  std::vector<ZonePlace> zone_places;    // until it is over, whatever replica it moves to
  std::unique_ptr<Migration> migration;  // nullptr: it ends with its replica
};

class Websocket : public net::Mortal {
 public:
  // Whose client it is.
  class Owner {
   public:
    // Nothing is left of it but the object.
    virtual void on_tunnel_over() = 0;

   protected:
    ~Owner() = default;
  };

  virtual void start() = 0;
  // Ends it by the closing handshake (RFC 6455 section 7) within the limit. `why` is for the log.
  virtual void go_away(std::chrono::milliseconds limit, std::string why) = 0;
  // It should leave its replica, at once or within the limit: by moving, if it can, else by ending.
  virtual void leave(MoveReason, std::chrono::milliseconds limit, std::string why) {
    go_away(limit, std::move(why));
  }
  // It moves to a replica that has joined. Only if quiet_for().
  virtual void rebalance(routing::ReplicaStatus&) {}
  // It could leave at once and be carried on: nothing is going on, and nothing came from the
  // replica for so long.
  virtual bool quiet_for(std::chrono::milliseconds) const { return false; }
  virtual const TunnelRecord& record() const = 0;
  // Idempotent. Writes the line of the access log; the owner ends with it.
  virtual void close() = 0;

  // The worker's table.
  size_t index = 0;
};

// After a 101: of the kind that the record asks for.
std::unique_ptr<Websocket> make_websocket(Worker& worker, Websocket::Owner& owner,
                                          std::unique_ptr<net::Channel> client,
                                          std::unique_ptr<net::Channel> replica,
                                          TunnelRecord record);

// Counts it in, and out, at the replica that its record names.
void enter_replica(Worker& worker, const TunnelRecord& record);
void leave_replica(Worker& worker, TunnelRecord& record);

struct WebsocketEnd {
  Side closed_by;
  const Error& why;
  uint64_t bytes_in;  // the client's side of the websocket itself
  uint64_t bytes_out;
};
void log_websocket(Worker& worker, const TunnelRecord& record, const WebsocketEnd& end);

}  // namespace usher::proxy
