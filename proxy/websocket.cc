#include "proxy/websocket.h"

#include <array>

#include "proxy/access_log.h"
#include "proxy/route_counters.h"
#include "proxy/socket_io_tunnel.h"
#include "proxy/tunnel.h"
#include "proxy/worker.h"

namespace usher::proxy {

std::string_view name_of(MoveReason reason) {
  constexpr std::array<std::string_view, move_reasons> names{
      "closed", "broken", "silent", "down", "drained", "home", "rebalanced"};
  return names[static_cast<size_t>(reason)];
}

std::string_view name_of(MoveOutcome outcome) {
  constexpr std::array<std::string_view, move_outcomes> names{"moved", "refused", "expired",
                                                              "client_gone", "stopped"};
  return names[static_cast<size_t>(outcome)];
}

std::unique_ptr<Websocket> make_websocket(Worker& worker, Websocket::Owner& owner,
                                          std::unique_ptr<net::Channel> client,
                                          std::unique_ptr<net::Channel> replica,
                                          TunnelRecord record) {
  if (record.migration) {
    return std::make_unique<SocketIoTunnel>(worker, owner, std::move(client), std::move(replica),
                                            std::move(record));
  }
  return std::make_unique<Tunnel>(worker, owner, std::move(client), std::move(replica),
                                  std::move(record));
}

void enter_replica(Worker& worker, const TunnelRecord& record) {
  ++record.status->websockets;
  worker.shared().live_sessions.opened(record.session, record.replica, !record.migration);
}

void leave_replica(Worker& worker, TunnelRecord& record) {
  --record.status->websockets;
  record.place.reset();
  worker.shared().live_sessions.closed(record.session, record.replica, !record.migration);
}

void log_websocket(Worker& worker, const TunnelRecord& record, const WebsocketEnd& end) {
  WorkerCounters& count = worker.count();
  count.websockets.subtract();
  count.websockets_closed[static_cast<size_t>(end.closed_by)].add();
  count.bytes_in.add(end.bytes_in);
  count.bytes_out.add(end.bytes_out);
  record.counters->bytes_in.add(end.bytes_in);
  record.counters->bytes_out.add(end.bytes_out);
  if (end.why.code != Errc::none) count.errors[static_cast<size_t>(end.why.code)].add();
  const auto now = worker.loop().now();

  AccessRecord line;
  line.time = worker.shared().clock.wall() -
              std::chrono::duration_cast<WallTime::duration>(now - record.started);
  line.client = record.client;
  line.method = "GET";
  line.host = record.host;
  line.target = record.target;
  line.protocol = "websocket";
  line.status = 101;
  line.bytes_in = end.bytes_in;
  line.bytes_out = end.bytes_out;
  line.duration = std::chrono::duration_cast<Duration>(now - record.started);
  line.first_byte = record.first_byte;
  line.replica = record.replica;
  line.affinity = record.affinity;
  line.attempts = record.attempts;
  line.closed_by = name_of(end.closed_by);
  if (end.why.code != Errc::none) line.error = to_string(end.why);
  line.request_id = record.request_id;
  line.trace_id = record.trace_id;
  line.user_agent = record.user_agent;
  record.lines.write(line);
}

}  // namespace usher::proxy
