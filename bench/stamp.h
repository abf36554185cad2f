// The messages of a token stream: each carries the time at which the replica sent it, in text, so
// that it may travel in a websocket message and in a server-sent event alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace usher::bench {

// Each stream has one message of so many bytes in so many nanoseconds.
constexpr size_t kTokenBytes = 100;
constexpr int64_t kTokenInterval = 20'000'000;

// An event of Socket.IO in Engine.IO's framing, and its acknowledgement, around a text.
constexpr std::string_view kSocketIoPath = "/ws/socket.io/?EIO=4&transport=websocket";
constexpr std::string_view kEventOpens = R"(427["echo",")";
constexpr std::string_view kAckOpens = R"(437[")";
constexpr std::string_view kEventCloses = R"("])";

// Nanoseconds of CLOCK_MONOTONIC: the same clock in every process.
int64_t now();

// `bytes` bytes of text, which begin with now().
std::string stamped(size_t bytes);
// What stamped() was called at; fails on anything else.
int64_t stamp_in(std::string_view message);

}  // namespace usher::bench
