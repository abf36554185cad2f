#include "protocol/http_date.h"

#include <array>

namespace usher::protocol {
namespace {

// Names of days and months are English: nothing here sets a locale.
constexpr const char* imf_fixdate = "%a, %d %b %Y %H:%M:%S GMT";
constexpr const char* rfc850_date = "%A, %d-%b-%y %H:%M:%S GMT";
constexpr const char* asctime_date = "%a %b %e %H:%M:%S %Y";
constexpr size_t longest_date = 64;

}  // namespace

std::string http_date(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, longest_date> text{};
  return {text.data(), std::strftime(text.data(), text.size(), imf_fixdate, &parts)};
}

std::optional<std::time_t> parse_http_date(std::string_view text) {
  if (text.size() >= longest_date) return std::nullopt;
  const std::string terminated(text);
  for (const char* form : {imf_fixdate, rfc850_date, asctime_date}) {
    std::tm parts{};
    const char* end = ::strptime(terminated.c_str(), form, &parts);
    if (end && end == terminated.c_str() + terminated.size()) return ::timegm(&parts);
  }
  return std::nullopt;
}

}  // namespace usher::protocol
