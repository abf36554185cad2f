// A value's text form, the same in TOML strings, in flags and in the environment; and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/keys.h"

namespace usher::conf {

// Takes the text when it is a value that the rule allows; else says what was expected, and the
// value is left as it was.
Outcome assign(std::string_view text, Millis& value, const Rule& rule);
Outcome assign(std::string_view text, Size& value, const Rule& rule);
Outcome assign(std::string_view text, uint16_t& value, const Rule& rule);
Outcome assign(std::string_view text, uint32_t& value, const Rule& rule);
Outcome assign(std::string_view text, std::string& value, const Rule& rule);
Outcome assign(std::string_view text, Endpoint& value, const Rule& rule);
// Empty: nothing.
Outcome assign(std::string_view text, std::optional<Endpoint>& value, const Rule& rule);
Outcome assign(std::string_view text, ReplicaSettings& value, const Rule& rule);
Outcome assign(std::string_view text, StoreUrl& value, const Rule& rule);
Outcome assign(std::string_view text, Cidr& value, const Rule& rule);
Outcome assign(std::string_view text, Rate& value, const Rule& rule);
Outcome assign(std::string_view text, RateLimitSettings& value, const Rule& rule);
Outcome assign(std::string_view text, ConnectionLimitSettings& value, const Rule& rule);
Outcome assign(std::string_view text, Template& value, const Rule& rule);
Outcome assign(std::string_view text, Pattern& value, const Rule& rule);
Outcome assign(std::string_view text, CookieFlags& value, const Rule& rule);
Outcome assign(std::string_view text, PathMatch& value, const Rule& rule);
Outcome assign(std::string_view text, OddHeaders& value, const Rule& rule);
Outcome assign(std::string_view text, Satisfy& value, const Rule& rule);
Outcome assign(std::string_view text, Balance& value, const Rule& rule);
Outcome assign(std::string_view text, LogLevelName& value, const Rule& rule);

// What a value is for people: `a duration such as "250ms"`, `a whole number from 1 to 100`.
std::string expected(const bool&, const Rule& rule);
std::string expected(const Millis&, const Rule& rule);
std::string expected(const Size&, const Rule& rule);
std::string expected(const uint16_t&, const Rule& rule);
std::string expected(const uint32_t&, const Rule& rule);
std::string expected(const std::string&, const Rule& rule);
std::string expected(const Endpoint&, const Rule& rule);
std::string expected(const std::optional<Endpoint>&, const Rule& rule);
std::string expected(const ReplicaSettings&, const Rule& rule);
std::string expected(const StoreUrl&, const Rule& rule);
std::string expected(const Cidr&, const Rule& rule);
std::string expected(const Rate&, const Rule& rule);
std::string expected(const RateLimitSettings&, const Rule& rule);
std::string expected(const ConnectionLimitSettings&, const Rule& rule);
std::string expected(const Template&, const Rule& rule);
std::string expected(const Pattern&, const Rule& rule);
std::string expected(const CookieFlags&, const Rule& rule);
std::string expected(const PathMatch&, const Rule& rule);
std::string expected(const OddHeaders&, const Rule& rule);
std::string expected(const Satisfy&, const Rule& rule);
std::string expected(const Balance&, const Rule& rule);
std::string expected(const LogLevelName&, const Rule& rule);

// The same with its bounds, where expected() leaves them out.
std::string allowed(const auto& value, const Rule& rule) { return expected(value, rule); }
std::string allowed(const Millis&, const Rule& rule);
std::string allowed(const Size&, const Rule& rule);

// The longest unit that divides it evenly: "250ms", "75s", "24h".
std::string format_millis(Millis value);
// "64KiB", "1GiB", "0".
std::string format_size(Size value);

}  // namespace usher::conf
