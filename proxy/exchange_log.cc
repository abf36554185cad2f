// What stays of an Exchange when it is over: its line in the access log and its counts, or what a
// tunnel will say when it ends in its turn.

#include "protocol/kept_request.h"
#include "protocol/trace_context.h"
#include "proxy/exchange.h"
#include "proxy/requester.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

constexpr std::chrono::milliseconds trouble_interval{60'000};
constexpr size_t most_of_origin = 256;

}  // namespace

TunnelRecord Exchange::make_tunnel_record(const protocol::ResponseHead& response) {
  TunnelRecord record;
  record.started = started_;
  record.client = client_address_;
  record.session = home_.client;
  record.host = asked_authority_;
  record.target = cut(asked_target_, '?').first;
  record.replica = replica_id_;
  record.epoch = home_.binding.epoch;
  record.request_id = request_.headers.get("X-Request-Id").value_or("");
  record.trace_id = protocol::trace_id_of(request_.headers);
  record.user_agent = request_.headers.get("User-Agent").value_or("");
  record.affinity = name_of(home_.outcome);
  record.first_byte = std::chrono::duration_cast<Duration>(*first_byte_ - started_);
  record.attempts = attempts_;
  record.entrance = &client_.role().entrance;
  record.counters = &worker_.count(*route_);
  if (snapshot_->logs->has_texts()) response_size_ = size_of(response);
  if (route_->rules.access_log) {
    const auto from = log_variables(&response);
    record.lines = KeptLines(snapshot_->logs, *route_, from ? &*from : nullptr);
  }
  record.idle_limit = merge(upstream_->timeouts, route_->timeouts).tunnel_idle;
  record.status = home_.replica->status;
  record.place = std::move(place_);
  record.zone_places = std::move(zone_places_);
  if (migrates()) {
    record.migration = std::make_unique<Migration>(
        Migration{protocol::keep_request(request_), upstream_->replay, upstream_->park,
                  route_->match == conf::PathMatch::named ? route_->path : std::string()});
  }
  return record;
}

// Nothing where no line wants it: a line of JSON has all that it says in its record.
std::optional<VariableSource> Exchange::log_variables(
    const protocol::ResponseHead* response) const {
  if (!snapshot_->logs->has_texts()) return std::nullopt;
  return variables(response);
}

// One line in the log for each trouble and whoever can mend it; the counter has them all.
void Exchange::log_trouble() {
  const auto trouble = diagnosis_->verdict();
  if (!trouble) return;
  const Shared& shared = worker_.shared();
  if (*trouble == Trouble::websocket_missing && shared.live_sessions.has(home_.client)) return;
  worker_.count().hints[static_cast<size_t>(*trouble)].add();
  const auto origin = request_.headers.get("Origin").value_or("").substr(0, most_of_origin);
  const std::string_view peer = client_.facts().ip_text;
  std::string key(name_of(*trouble));
  switch (*trouble) {
    case Trouble::origin_refused: key.append(" ").append(origin); break;
    case Trouble::upgrade_lost: key.append(" ").append(peer); break;
    case Trouble::session_lost: key.append(" ").append(replica_id_); break;
    case Trouble::websocket_missing: key.append(" ").append(client_address_); break;
  }
  const auto held_back = shared.throttle.admit(key, trouble_interval, worker_.loop().now());
  if (!held_back) return;
  shared.log.warning("hint", {{"cause", name_of(*trouble)},
                              {"advice", advice_on(*trouble)},
                              {"origin", origin},
                              {"client", client_address_},
                              {"peer", peer},
                              {"host", request_.authority},
                              {"path", request_.path()},
                              {"status", unsigned{status_}},
                              {"replica", replica_id_},
                              {"affinity", name_of(home_.outcome)},
                              {"request_id", request_.headers.get("X-Request-Id").value_or("")},
                              {"held_back", *held_back}});
}

// What is known of an answer as soon as its head is sent; a tunnel counts the rest when it ends.
void Exchange::count_answer() {
  const size_t kind = status_ == 499 ? 0 : status_ / 100 % 6;
  worker_.count().responses[kind].add();
  worker_.count().affinity[static_cast<size_t>(home_.outcome)].add();
  if (!route_) return;
  RouteCounters& of_route = worker_.count(*route_);
  of_route.responses[kind].add();
  if (first_byte_) {
    of_route.first_bytes.record(
        std::chrono::duration_cast<std::chrono::microseconds>(*first_byte_ - started_));
  }
}

void Exchange::log() {
  if (diagnosis_) log_trouble();
  count_answer();
  WorkerCounters& count = worker_.count();
  count.bytes_in.add(bytes_in_);
  count.bytes_out.add(bytes_out_);
  if (error_.code != Errc::none) count.errors[static_cast<size_t>(error_.code)].add();

  const MonotonicTime now = worker_.loop().now();
  if (route_) {
    RouteCounters& of_route = worker_.count(*route_);
    of_route.bytes_in.add(bytes_in_);
    of_route.bytes_out.add(bytes_out_);
    of_route.durations.record(
        std::chrono::duration_cast<std::chrono::microseconds>(now - started_));
  }

  AccessRecord line;
  line.time = started_wall_;
  line.client = client_address_.empty() ? client_.facts().ip_text : client_address_;
  line.method = request_.method;
  line.host = asked_authority_;
  line.target = asked_target_;
  line.protocol = client_.protocol_name();
  line.status = status_;
  line.bytes_in = bytes_in_;
  line.bytes_out = bytes_out_;
  line.duration = std::chrono::duration_cast<Duration>(now - started_);
  if (first_byte_) line.first_byte = std::chrono::duration_cast<Duration>(*first_byte_ - started_);
  line.replica = replica_id_;
  line.affinity = name_of(home_.outcome);
  line.attempts = attempts_;
  if (error_.code != Errc::none) line.error = to_string(error_);
  line.request_id = request_.headers.get("X-Request-Id").value_or("");
  line.trace_id = protocol::trace_id_of(request_.headers);
  line.user_agent = request_.headers.get("User-Agent").value_or("");
  if (route_ && !route_->rules.access_log) return;
  const auto from = log_variables(response_.get());
  if (!snapshot_->logs->write(route_, line, from ? &*from : nullptr)) count.lines_spared.add();
}

}  // namespace usher::proxy
