// Which certificate is shown for a server name, against the rule put plainly.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tls/server_names.h"

namespace {

using usher::equals_ignoring_case;

// What stands behind the first label; nothing of a name without one.
std::string_view parent_of(std::string_view name) {
  const size_t dot = name.find('.');
  return dot == 0 || dot == name.npos ? std::string_view() : name.substr(dot);
}

// The number of the name that is meant; as many as there are: none.
size_t meant(const std::vector<std::string>& names, std::string_view asked) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (equals_ignoring_case(names[i], asked)) return i;
  }
  const std::string_view parent = parent_of(asked);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = names[i];
    if (!parent.empty() && name.starts_with("*.") && equals_ignoring_case(name.substr(1), parent))
      return i;
  }
  return names.size();
}

}  // namespace

// The name that is asked for, then those of the certificates, a line each.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto [asked, rest] = usher::cut(text, '\n');
  std::vector<std::string> names;
  usher::tls::ServerNames<size_t> table;
  while (rest) {
    const auto [name, more] = usher::cut(*rest, '\n');
    table.add(usher::to_lower(name), names.size());
    names.push_back(usher::to_lower(name));
    rest = more;
  }
  const size_t* const found = table.find(asked);
  if ((found ? *found : names.size()) != meant(names, asked)) std::abort();
  return 0;
}
