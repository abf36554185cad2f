#include "conf/keys.h"

#include "conf/endpoint.h"
#include "conf/text_rules.h"
#include "conf/units.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

using namespace units;

const char* name_or_nothing(std::string_view text) {
  return text.empty() || is_identifier(text, "-_.:") ? nullptr
                                                     : R"(a name such as "chat.internal")";
}

const char* host_or_nothing(std::string_view text) {
  return text.empty() || is_identifier(text, "-_.:[]") ? nullptr
                                                       : R"(a name such as "chat.example.org")";
}

const char* nameserver(std::string_view text) {
  return parse_nameserver(text) ? nullptr : R"(an address such as "127.0.0.11" or "[::1]:5353")";
}

constexpr std::string_view address_families[] = {"any", "ipv4", "ipv6"};
constexpr std::string_view version_policies[] = {"newest", "any"};

constexpr Named<Balance> balance_names[] = {
    {"least_connections", Balance::least_connections},
    {"round_robin", Balance::round_robin},
    {"random_two", Balance::random_two},
    {"rendezvous", Balance::rendezvous},
};

// clang-format off
const Key health_keys[] = {
    {"path", &HealthSettings::path, {.check = url_path},
     "The path that a probe asks for: a replica that does not answer it with 2xx is not ready. It "
     "gets no new clients while another one is ready, and keeps those it has. Then \"/health\" is "
     "asked, and says whether the replica lives; where `path` is not known (404), that alone counts."},
    {"host", &HealthSettings::host, {.max = 253, .check = host_or_nothing},
     "The Host that a probe asks for. Empty: the one that a route to this upstream sets, else the "
     "first name that such a route serves, else the replica's address."},
    {"interval", &HealthSettings::interval, {100, 10 * minute},
     "Time between two probes of a replica."},
    {"timeout", &HealthSettings::timeout, {10, 10 * minute},
     "A probe that takes longer has failed."},
    {"fall", &HealthSettings::fall, {1, 100},
     "So many failed probes in a row and the replica is not ready, or down."},
    {"rise", &HealthSettings::rise, {1, 100},
     "So many good probes in a row and it is up again."},
    {"start", &HealthSettings::start, {0, hour},
     "A replica that has come up and answers gets nobody before it was ready once; but for no "
     "longer than this."},
    {"panic", &HealthSettings::panic, {0, 100},
     "When more than so many percent of the replicas that live are not ready, or all of them, it is "
     "something that they share, such as their database: they all stay in use."},
    {"any_answer", &HealthSettings::any_answer, {},
     "Any answer below 500 is good, without a look at \"/health\"."},
    {"active", &HealthSettings::active, {},
     "false: replicas are not asked; one that requests find down is tried with connects until one "
     "succeeds."},
};

const Key upstream_timeout_keys[] = {
    {"connect", &UpstreamTimeouts::connect, {1, 10 * minute},
     "To connect to a replica."},
    {"send", &UpstreamTimeouts::send, {1, 7 * day},
     "A replica that takes nothing of a request for so long, though it should, is given up."},
    {"first_byte", &UpstreamTimeouts::first_byte, {1, 7 * day},
     "From the end of a request to the first byte of its response: a model may think for long."},
    {"between_bytes", &UpstreamTimeouts::between_bytes, {1, 7 * day},
     "Between two pieces of a response."},
    {"keep_alive", &UpstreamTimeouts::keep_alive, {1, hour},
     "How long an idle connection to a replica is kept. Stay below the replica's own limit "
     "(uvicorn: 5s)."},
    {"tunnel_idle", &UpstreamTimeouts::tunnel_idle, {1, 7 * day},
     "A websocket that is silent in both directions for so long is closed."},
};

const Key upstream_keys[] = {
    {"name", &UpstreamSettings::name, {.max = 64, .check = upstream_name, .required = true},
     "What routes, logs and metrics call it."},
    {"replicas", &UpstreamSettings::replicas, {.required = true},
     "\"host:port\", \"https://host:port\" or \"unix:/path\", one or more, each with its "
     "weight if need be: \"host:port weight=2\" takes twice as many new clients as one without "
     "(1 to 256). A \"host:port backup\" takes clients only while none of the others does; those stay "
     "there. Every address that a name resolves to is a replica."},
    {"tls_verify", &UpstreamSettings::tls_verify, {},
     "Verify the certificates of https replicas. Without it anybody on the way can pose as one."},
    {"tls_name", &UpstreamSettings::tls_name, {.max = 253, .check = name_or_nothing},
     "The name that https replicas are asked for (SNI) and that their certificates must have. Empty: "
     "the name or address in `replicas`."},
    {"ca", &UpstreamSettings::ca, {.is_read = true},
     "PEM file of the authorities that may sign the certificates of https replicas. Empty: those "
     "of the system."},
    {"resolve", &UpstreamSettings::resolve, {100, hour},
     "How often the names are resolved again."},
    {"nameservers", &UpstreamSettings::nameservers, {.check = nameserver},
     "DNS servers that are asked for the names, such as \"127.0.0.11\" or \"10.0.0.2:5353\". Empty: "
     "the system's resolver, which knows /etc/hosts too."},
    {"addresses", &UpstreamSettings::addresses, {.choices = address_families},
     "Which addresses of a name are replicas: all, those of IPv4 or those of IPv6."},
    {"balance", &UpstreamSettings::balance, {},
     "How a replica is chosen for a new client."},
    {"versions", &UpstreamSettings::versions, {.choices = version_policies},
     "Where new clients go when the replicas' versions (/api/version) differ: to the newest one, "
     "and nobody moves to another one before its replica is gone; or to any."},
    {"slow_start", &UpstreamSettings::slow_start, {0, hour},
     "A replica that is new or has come back takes a tenth of its share of new clients at first, "
     "and all of it after this time. \"0s\": at once."},
    {"rebalance", &UpstreamSettings::rebalance, {0, 10'000},
     "After a replica has joined or come back: so many clients a second are moved to it by each "
     "node, at a moment when nothing is going on between them and theirs, until it has as many as "
     "the others. 0: who has a replica stays there."},
    {"max_connections", &UpstreamSettings::max_connections, {0, 1'000'000},
     "Requests and websockets that this node has at one replica at a time; 0: no limit. New "
     "clients go to another replica, those who are bound to a full one wait."},
    {"idle_connections", &UpstreamSettings::idle_connections, {0, 65'535},
     "So many idle connections to one replica are kept by each worker, for the next request; beyond "
     "that the one that was used longest ago is closed. 0: each request has its own connection."},
    {"connection_requests", &UpstreamSettings::connection_requests, {0, 1'000'000'000},
     "Requests that one connection to a replica carries; then it is closed. 0: no limit."},
    {"queue", &UpstreamSettings::queue, {0, 1'000'000},
     "So many requests may wait for a place at one replica; more are answered with 503."},
    {"queue_timeout", &UpstreamSettings::queue_timeout, {1, 10 * minute},
     "A request that has waited for so long is answered with 503."},
    {"drain", &UpstreamSettings::drain, {0, 7 * day},
     "How long clients with an open websocket may stay at a replica that is drained by command, if "
     "the command does not say so. \"0s\": until the websocket closes."},
    {"socketio", &UpstreamSettings::socketio, {.check = url_path},
     "Paths where Socket.IO lives: a request with sid= goes to the replica that issued that sid."},
    {"migrate", &UpstreamSettings::migrate, {},
     "Carry on Socket.IO websockets at another replica when theirs goes: the client stays "
     "connected. false: they are passed on unread, and end with their replica."},
    {"replay", &UpstreamSettings::replay, {},
     "Socket.IO events that do no harm when two replicas get them: sent again to the new replica "
     "when the old one had not acknowledged them. With any other the client is told to reconnect."},
    {"quiet", &UpstreamSettings::quiet, {0, hour},
     "A session leaves a draining replica, or one that has too many, when nobody owes an answer and "
     "the replica has sent nothing for so long."},
    {"hold", &UpstreamSettings::hold, {0, 10 * minute},
     "While no replica is up, GET and HEAD requests wait for so long before they are answered with "
     "503; page navigations get a page at once that tries again. \"0s\": no request waits."},
    {"park", &UpstreamSettings::park, {0, day},
     "While no replica is up, Socket.IO websockets stay open for so long and wait; then their "
     "clients are told to reconnect."},
    {"migrate_rate", &UpstreamSettings::migrate_rate, {1, 1'000'000},
     "So many websockets a second are carried on at one replica; more wait their turn."},
    {"health", &UpstreamSettings::health, {},
     "How usher finds out that a replica is well."},
    {"timeouts", &UpstreamSettings::timeouts, {},
     "The replica's side of a request."},
};

// clang-format on

}  // namespace

template <>
const Table& table_of<HealthSettings>() {
  static const Table table{health_keys, &usual<HealthSettings>()};
  return table;
}
template <>
const Table& table_of<UpstreamTimeouts>() {
  static const Table table{upstream_timeout_keys, &usual<UpstreamTimeouts>()};
  return table;
}
template <>
const Table& table_of<UpstreamSettings>() {
  static const Table table{upstream_keys, &usual<UpstreamSettings>()};
  return table;
}

template <>
std::span<const Named<Balance>> names_of() {
  return balance_names;
}

}  // namespace usher::conf
