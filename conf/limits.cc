#include "conf/limits.h"

#include <limits>

#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr uint32_t highest_rate = 1'000'000;
constexpr uint32_t most_connections = 65'535;
constexpr uint32_t any = std::numeric_limits<uint32_t>::max();

constexpr std::string_view rate_form = R"(a rate such as "10r/s" or "30r/m")";
constexpr std::string_view rate_limit_form =
    R"(a zone's name, and after it "burst=20", "delay=8" or "nodelay")";
constexpr std::string_view connection_limit_form =
    R"(a zone's name and a number from 1 to 65535, such as "per_address 10")";

std::optional<uint32_t> number_of(std::string_view text, uint32_t most) {
  const auto number = parse_decimal<uint32_t>(text);
  return number && *number > 0 && *number <= most ? number : std::nullopt;
}

}  // namespace

std::string to_string(const Rate& rate) {
  return std::to_string(rate.requests) + (rate.a_minute ? "r/m" : "r/s");
}

std::string to_string(const RateLimitSettings& limit) {
  std::string text = limit.zone;
  if (limit.burst > 0) text += " burst=" + std::to_string(limit.burst);
  if (limit.delay > 0) text += " delay=" + std::to_string(limit.delay);
  return limit.nodelay ? text + " nodelay" : text;
}

std::string to_string(const ConnectionLimitSettings& limit) {
  return limit.zone + " " + std::to_string(limit.most);
}

Result<Rate> parse_rate(std::string_view text) {
  Rate rate;
  rate.a_minute = text.ends_with("r/m");
  const bool has_unit = rate.a_minute || text.ends_with("r/s");
  const auto number =
      number_of(has_unit ? text.substr(0, text.size() - 3) : std::string_view(), highest_rate);
  if (!number) return unexpected(rate_form, in_quotes(text));
  rate.requests = *number;
  return rate;
}

Result<RateLimitSettings> parse_rate_limit(std::string_view text) {
  const auto words = split_list(text, ' ');
  const auto bad = [text] { return unexpected(rate_limit_form, in_quotes(text)); };
  if (words.empty()) return bad();
  RateLimitSettings limit;
  limit.zone = words.front();
  for (size_t i = 1; i < words.size(); ++i) {
    const auto [name, value] = cut(words[i], '=');
    const auto number = number_of(value.value_or(""), any);
    if (words[i] == "nodelay" && limit.delay == 0) {
      limit.nodelay = true;
    } else if (name == "burst" && number) {
      limit.burst = *number;
    } else if (name == "delay" && number && !limit.nodelay) {
      limit.delay = *number;
    } else {
      return bad();
    }
  }
  return limit;
}

Result<ConnectionLimitSettings> parse_connection_limit(std::string_view text) {
  const auto words = split_list(text, ' ');
  const auto most = words.size() == 2 ? number_of(words[1], most_connections) : std::nullopt;
  if (!most) return unexpected(connection_limit_form, in_quotes(text));
  return ConnectionLimitSettings{std::string(words[0]), *most};
}

}  // namespace usher::conf
