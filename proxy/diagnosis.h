// Recognises, in what a replica answers, the troubles with Open WebUI's websockets that its users
// report most, and says in plain words what to do about each. Pure: nothing is logged in here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/message.h"

namespace usher::proxy {

enum class Trouble : uint8_t {
  origin_refused,     // Engine.IO does not accept the request's Origin
  upgrade_lost,       // a websocket was meant, and a proxy in front took its Upgrade away
  session_lost,       // the replica does not know the Engine.IO session
  websocket_missing,  // a chat was answered as to a program: the browser has no live websocket
};
inline constexpr size_t troubles = 4;
std::string_view name_of(Trouble trouble);
// What to do, for the log.
std::string_view advice_on(Trouble trouble);

// Looks at one response. Cheap for all but the few that can tell something.
class Diagnosis final {
 public:
  // `socketio`: the path is one of upstream.socketio. Nothing: this response tells no trouble.
  static std::optional<Diagnosis> begin(const protocol::RequestHead& request,
                                        const protocol::ResponseHead& response, bool socketio);

  // A piece of the response's body; only its first bytes are kept.
  void read(std::span<const char> piece);
  // When the body has been read, or as much of it as came.
  std::optional<Trouble> verdict() const;

 private:
  // What servers say stands at the start: an Origin of some length and a few words.
  static constexpr size_t most_read = 512;

  std::optional<Trouble> from_head_;
  std::string text_;
};

}  // namespace usher::proxy
