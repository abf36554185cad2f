// What went wrong, whose fault it was, and what follows from it. Every code has one row in the
// table of error.cc: its name in logs, the HTTP status a client gets, and whether the request may
// be sent again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace usher {

enum class Errc : uint8_t {
  none,
  // the client's side
  bad_request,
  head_too_large,
  uri_too_long,
  head_timeout,
  body_too_large,
  body_timeout,
  version_not_supported,
  not_implemented,
  expectation_failed,
  client_gone,
  client_stalled,
  tls_handshake_failed,
  handshake_timeout,
  bad_proxy_header,
  too_many_handshakes,
  too_many_connections,
  bad_password,
  passwords_busy,
  rate_limited,
  connection_limited,
  idle,
  http2_error,
  rapid_reset,
  frame_flood,
  header_flood,
  // routing
  misdirected,
  no_route,
  detour_loop,
  expression_gave_up,
  no_replica,
  // the replica's side
  connect_refused,
  connect_timeout,
  connect_failed,
  replica_closed_idle,
  replica_closed,
  replica_bad_response,
  replica_bad_upgrade,
  replica_status,
  first_byte_timeout,
  between_bytes_timeout,
  tunnel_idle,
  replica_busy,
  not_moved,
  // the process
  draining,
  out_of_descriptors,
  system,
  // What ends no request, no connection and no websocket: the store and the configuration.
  store_down,
  store_timeout,
  store_error,
  bad_config,
  not_found,
};
// Causes that logs and metrics name for clients' traffic.
inline constexpr size_t traffic_causes = static_cast<size_t>(Errc::system) + 1;
inline constexpr size_t error_codes = static_cast<size_t>(Errc::not_found) + 1;

enum class Side : uint8_t { usher, client, replica, store };

// May a request that met this error be sent to a replica again?
enum class Retry : uint8_t {
  never,
  nothing_sent,  // no byte of the request left usher: any replica may get it
  if_reused,  // an idle connection that died before the response: once more, on a fresh connection
  if_idempotent,  // only a bodiless request with an idempotent method (RFC 9110 section 9.2.2)
  if_wanted,      // the same, of another replica, and only where the route wants it
};

struct Error {
  Errc code = Errc::none;
  Side side = Side::usher;
  std::string detail;  // for the log, in plain words; never shown to a client
};

struct ErrorRow {
  std::string_view name;
  uint16_t status;  // 0: the connection is simply closed
  Retry retry;
  std::string_view client_text;  // what a client is told
};

const ErrorRow& row_of(Errc code);
inline std::string_view name_of(Errc code) { return row_of(code).name; }
std::string_view name_of(Side side);

// "connect_refused: 10.0.0.3:8080: Connection refused"
std::string to_string(const Error& error);

}  // namespace usher
