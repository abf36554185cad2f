#include "base/error.h"

#include <array>

namespace usher {
namespace {

struct CodedRow {
  Errc code;
  ErrorRow row;
};

constexpr CodedRow rows[] = {
    {Errc::none, {"none", 0, Retry::never, ""}},
    {Errc::bad_request, {"bad_request", 400, Retry::never, "The request is malformed."}},
    {Errc::head_too_large,
     {"head_too_large", 431, Retry::never, "The request's header fields are too large."}},
    {Errc::uri_too_long, {"uri_too_long", 414, Retry::never, "The address is too long."}},
    {Errc::head_timeout,
     {"head_timeout", 408, Retry::never, "The request took too long to arrive."}},
    {Errc::body_too_large, {"body_too_large", 413, Retry::never, "The upload is too large."}},
    {Errc::body_timeout, {"body_timeout", 408, Retry::never, "The upload stopped moving."}},
    {Errc::version_not_supported,
     {"version_not_supported", 505, Retry::never, "This HTTP version is not supported."}},
    {Errc::not_implemented,
     {"not_implemented", 501, Retry::never, "This kind of request is not supported."}},
    {Errc::expectation_failed,
     {"expectation_failed", 417, Retry::never, "The request expects what is not supported."}},
    {Errc::client_gone, {"client_gone", 0, Retry::never, ""}},
    {Errc::client_stalled, {"client_stalled", 0, Retry::never, ""}},
    {Errc::tls_handshake_failed, {"tls_handshake_failed", 0, Retry::never, ""}},
    {Errc::handshake_timeout, {"handshake_timeout", 0, Retry::never, ""}},
    {Errc::bad_proxy_header, {"bad_proxy_header", 0, Retry::never, ""}},
    {Errc::too_many_handshakes, {"too_many_handshakes", 0, Retry::never, ""}},
    {Errc::too_many_connections,
     {"too_many_connections", 429, Retry::never, "Too many connections from this address."}},
    {Errc::bad_password, {"bad_password", 401, Retry::never, "The name or password is wrong."}},
    {Errc::passwords_busy,
     {"passwords_busy", 503, Retry::never, "Too many log-ins at a time. Please wait."}},
    {Errc::rate_limited,
     {"rate_limited", 429, Retry::never, "Too many requests. Please wait a moment."}},
    {Errc::connection_limited,
     {"connection_limited", 429, Retry::never, "Too many requests at a time. Please wait."}},
    {Errc::idle, {"idle", 0, Retry::never, ""}},
    {Errc::http2_error, {"http2_error", 0, Retry::never, ""}},
    {Errc::rapid_reset, {"rapid_reset", 0, Retry::never, ""}},
    {Errc::frame_flood, {"frame_flood", 0, Retry::never, ""}},
    {Errc::header_flood, {"header_flood", 0, Retry::never, ""}},
    {Errc::misdirected,
     {"misdirected", 421, Retry::never, "This name is not served on this connection."}},
    {Errc::no_route, {"no_route", 404, Retry::never, "Nothing is served under this address."}},
    {Errc::detour_loop, {"detour_loop", 500, Retry::never, "Something went wrong."}},
    {Errc::expression_gave_up, {"expression_gave_up", 500, Retry::never, "Something went wrong."}},
    {Errc::no_replica,
     {"no_replica", 503, Retry::never, "The service is starting or being updated. Please wait."}},
    {Errc::connect_refused,
     {"connect_refused", 502, Retry::nothing_sent, "The service cannot be reached."}},
    {Errc::connect_timeout,
     {"connect_timeout", 504, Retry::nothing_sent, "The service cannot be reached."}},
    {Errc::connect_failed,
     {"connect_failed", 502, Retry::nothing_sent, "The service cannot be reached."}},
    {Errc::replica_closed_idle,
     {"replica_closed_idle", 502, Retry::if_reused, "The service closed the connection."}},
    {Errc::replica_closed,
     {"replica_closed", 502, Retry::if_idempotent, "The service closed the connection."}},
    {Errc::replica_bad_response,
     {"replica_bad_response", 502, Retry::if_wanted, "The service sent an invalid response."}},
    {Errc::replica_bad_upgrade,
     {"replica_bad_upgrade", 502, Retry::never, "The service sent an invalid response."}},
    {Errc::replica_status, {"replica_status", 502, Retry::if_wanted, "The service cannot answer."}},
    {Errc::first_byte_timeout,
     {"first_byte_timeout", 504, Retry::if_wanted, "The service took too long to answer."}},
    {Errc::between_bytes_timeout,
     {"between_bytes_timeout", 504, Retry::never,
      "The service stopped in the middle of its answer."}},
    {Errc::tunnel_idle, {"tunnel_idle", 0, Retry::never, ""}},
    {Errc::replica_busy,
     {"replica_busy", 503, Retry::never, "The service is too busy. Please wait."}},
    {Errc::not_moved, {"not_moved", 0, Retry::never, ""}},
    {Errc::draining, {"draining", 503, Retry::never, "The service is restarting."}},
    {Errc::out_of_descriptors,
     {"out_of_descriptors", 503, Retry::never, "The service is too busy."}},
    {Errc::system, {"system", 500, Retry::never, "Something went wrong."}},
    {Errc::store_down, {"store_down", 503, Retry::never, "The service is unavailable."}},
    {Errc::store_timeout, {"store_timeout", 503, Retry::never, "The service is unavailable."}},
    {Errc::store_error, {"store_error", 503, Retry::never, "The service is unavailable."}},
    {Errc::bad_config, {"bad_config", 500, Retry::never, "Something went wrong."}},
    {Errc::not_found, {"not_found", 404, Retry::never, "Not found."}},
};

constexpr bool in_order() {
  for (size_t i = 0; i < std::size(rows); ++i) {
    if (static_cast<size_t>(rows[i].code) != i) return false;
  }
  return std::size(rows) == error_codes;
}
static_assert(in_order(), "one row for each Errc, in its order");

}  // namespace

const ErrorRow& row_of(Errc code) { return rows[static_cast<size_t>(code)].row; }

std::string_view name_of(Side side) {
  constexpr std::array<std::string_view, 4> names{"usher", "client", "replica", "store"};
  return names[static_cast<size_t>(side)];
}

std::string to_string(const Error& error) {
  std::string text(name_of(error.code));
  if (!error.detail.empty()) text.append(": ").append(error.detail);
  return text;
}

}  // namespace usher
