// Websocket frames (RFC 6455 section 5) as far as the bench needs them: text, below 64 KiB, whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace usher::bench {

// The key and its answer that RFC 6455 section 1.3 computes by hand.
constexpr std::string_view kWebsocketKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kWebsocketAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

// Ends the replica's stream when a client says it; the replica's last message.
constexpr std::string_view kStopStream = "stop";
constexpr std::string_view kStreamStopped = "stopped";

// The payload of the first frame in bytes from `offset` on, unmasked in place, and offset moved
// behind it. Nothing when the frame is not whole yet. Fails on anything but a text message in one
// frame.
std::optional<std::string_view> take_message(std::string& bytes, size_t& offset);

void append_message(std::string& out, std::string_view payload, bool masked);

}  // namespace usher::bench
