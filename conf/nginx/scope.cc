#include "conf/nginx/scope.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/endpoint.h"

namespace usher::conf::nginx {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};
constexpr Unit time_units[] = {
    {"ms", 1},         {"s", 1000},        {"m", 60'000},        {"h", 3'600'000},
    {"d", 86'400'000}, {"w", 604'800'000}, {"M", 2'592'000'000}, {"y", 31'536'000'000}};
constexpr uint64_t most = uint64_t{1} << 50;

// A number and the unit behind it; taken off the text.
std::optional<uint64_t> take(std::string_view& text, std::span<const Unit> units,
                             uint64_t without_unit) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_decimal<uint64_t>(text.substr(0, digits));
  text.remove_prefix(digits);
  const auto letters = std::min(text.find_first_of("0123456789 "), text.size());
  const std::string_view name = text.substr(0, letters);
  text.remove_prefix(letters);
  if (!number) return std::nullopt;
  uint64_t factor = name.empty() ? without_unit : 0;
  for (const Unit& unit : units) {
    if (unit.name == name) factor = unit.factor;
  }
  if (factor == 0 || *number > most / factor) return std::nullopt;
  return *number * factor;
}

}  // namespace

std::vector<const Directive*> Scope::all(std::string_view name) const {
  std::vector<const Directive*> found;
  for (const Scope* scope = this; scope && found.empty(); scope = scope->around) {
    for (const Directive& each : *scope->block) {
      if (each.name == name) found.push_back(&each);
    }
  }
  return found;
}

const Directive* Scope::find(std::string_view name) const {
  const auto found = all(name);
  return found.empty() ? nullptr : found.back();
}

const Directive* Scope::own(std::string_view name) const {
  return Scope{block, nullptr}.find(name);
}

std::optional<Millis> parse_time(std::string_view text) {
  uint64_t sum = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto part = take(text, time_units, 1000);
    if (!part) return std::nullopt;
    sum = std::min(most, sum + *part);
    text = trim(text);
  }
  return Millis(static_cast<int64_t>(sum));
}

std::optional<uint64_t> parse_size(std::string_view text) {
  constexpr Unit units[] = {{"k", 1024},     {"K", 1024},     {"m", 1u << 20},
                            {"M", 1u << 20}, {"g", 1u << 30}, {"G", 1u << 30}};
  const auto size = take(text, units, 1);
  return text.empty() ? size : std::nullopt;
}

std::vector<Cidr> parse_networks(std::string_view text) {
  if (text == "all")
    return {Cidr{std::vector<uint8_t>(4), 0}, Cidr{std::vector<uint8_t>(16), 0}, Cidr{}};
  const auto [address, bits_text] = cut(text, '/');
  auto network = parse_cidr(address);
  if (!network) return {};
  const auto most_bits = network->bits;
  const auto bits = bits_text ? parse_decimal<uint8_t>(*bits_text) : most_bits;
  if (!bits || *bits > most_bits) return {};
  network->bits = *bits;
  for (size_t i = 0; i < network->address.size(); ++i) {
    const int kept = std::clamp(*bits - static_cast<int>(i) * 8, 0, 8);
    network->address[i] &= static_cast<uint8_t>(0xff00 >> kept);
  }
  return {*std::move(network)};
}

std::string substitute(std::string_view text, const Names& names) {
  std::string made;
  while (!text.empty()) {
    const size_t dollar = std::min(text.find('$'), text.size());
    made += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.empty()) break;
    const bool braces = text.substr(1).starts_with('{');
    const std::string_view rest = text.substr(braces ? 2 : 1);
    size_t size = 0;
    while (size < rest.size() &&
           (is_alpha(rest[size]) || is_digit(rest[size]) || rest[size] == '_'))
      ++size;
    const auto known = names.find(rest.substr(0, size));
    if (known == names.end()) {
      made += '$';
      text.remove_prefix(1);
      continue;
    }
    made += known->second;
    text = rest.substr(size);
    if (braces && text.starts_with('}')) text.remove_prefix(1);
  }
  return made;
}

}  // namespace usher::conf::nginx
