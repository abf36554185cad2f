#include "proxy/diagnosis.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "protocol/engine_io.h"

namespace usher::proxy {
namespace {

constexpr std::string_view chat_path = "/api/chat/completions";

struct Row {
  std::string_view name;
  std::string_view advice;
};

constexpr std::array<Row, troubles> rows{{
    {"origin_refused",
     "The replica does not accept the Origin of this page. Set CORS_ALLOW_ORIGIN of Open WebUI to "
     "exactly this origin (several are separated by \";\"), or to \"*\"; on every replica the "
     "same."},
    {"upgrade_lost",
     "A websocket was asked for, but the request came without \"Upgrade: websocket\": a proxy in "
     "front of usher took it away. Let that proxy pass Upgrade and Connection on (nginx: "
     "proxy_http_version 1.1 and both headers by proxy_set_header)."},
    {"session_lost",
     "The replica does not know this Engine.IO session. Either it has restarted, and the client "
     "begins a new session by itself; or it runs several processes: set UVICORN_WORKERS to 1 and "
     "add replicas instead."},
    {"websocket_missing",
     "A browser's chat was answered as to a program, because the browser has no live websocket; it "
     "shows \"Unexpected token 'd', \\\"data: {\\\"id\\\"...\" is not valid JSON\". Look for this "
     "client's request for /ws/socket.io/ in the access log: its status says why."},
}};

// The page's own script, not a program that rightly streams, nor a page of another site.
bool is_from_own_page(const protocol::RequestHead& request) {
  if (const auto site = request.headers.get("Sec-Fetch-Site")) return *site == "same-origin";
  const auto origin = request.headers.get("Origin");
  if (!origin) return false;
  const size_t scheme = origin->find("://");
  return scheme != std::string_view::npos && origin->substr(scheme + 3) == request.authority;
}

bool is_chat_answered_by_events(const protocol::RequestHead& request,
                                const protocol::ResponseHead& response) {
  if (request.method != "POST" || response.status != 200 || request.path() != chat_path)
    return false;
  const auto type = response.headers.get("Content-Type");
  return type && starts_with_ignoring_case(*type, "text/event-stream") && is_from_own_page(request);
}

// uvicorn gives a websocket that Engine.IO refuses a 403 without its reason.
std::optional<Trouble> trouble_of_handshake(const protocol::RequestHead& request) {
  if (protocol::sid_of_query(request.query())) return Trouble::session_lost;
  if (request.headers.has("Origin")) return Trouble::origin_refused;
  return std::nullopt;
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return to_lower(a) == to_lower(b); }) != text.end();
}

}  // namespace

std::string_view name_of(Trouble trouble) { return rows[static_cast<size_t>(trouble)].name; }
std::string_view advice_on(Trouble trouble) { return rows[static_cast<size_t>(trouble)].advice; }

std::optional<Diagnosis> Diagnosis::begin(const protocol::RequestHead& request,
                                          const protocol::ResponseHead& response, bool socketio) {
  Diagnosis diagnosis;
  if (!socketio) {
    if (!is_chat_answered_by_events(request, response)) return std::nullopt;
    diagnosis.from_head_ = Trouble::websocket_missing;
  } else if (response.status == 403 && request.wants_websocket) {
    diagnosis.from_head_ = trouble_of_handshake(request);
  } else if (response.status == 400) {
    const bool lost = protocol::asks_for_websocket(request) && !request.wants_websocket;
    if (lost) diagnosis.from_head_ = Trouble::upgrade_lost;
  } else {
    return std::nullopt;
  }
  return diagnosis;
}

void Diagnosis::read(std::span<const char> piece) {
  if (from_head_ == Trouble::websocket_missing) return;
  text_.append(piece.data(), std::min(piece.size(), most_read - text_.size()));
}

std::optional<Trouble> Diagnosis::verdict() const {
  // In the order in which Engine.IO looks: the Origin comes first.
  if (contains_ignoring_case(text_, "is not an accepted origin")) return Trouble::origin_refused;
  if (contains_ignoring_case(text_, "invalid websocket upgrade")) return Trouble::upgrade_lost;
  for (const std::string_view words : {"invalid session", "session id unknown"}) {
    if (contains_ignoring_case(text_, words)) return Trouble::session_lost;
  }
  return from_head_;
}

}  // namespace usher::proxy
