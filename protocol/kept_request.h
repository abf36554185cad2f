// A request's head as one small text, so that it can be said again later: what an idle websocket
// keeps of its opening handshake.
#pragma once

#include <string>
#include <string_view>

#include "protocol/message.h"

namespace usher::protocol {

std::string keep_request(const RequestHead& head);
// A websocket's opening handshake that was kept. Has memory of its own.
RequestHead recall_handshake(std::string_view kept);

}  // namespace usher::protocol
