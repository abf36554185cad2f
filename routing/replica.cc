#include "routing/replica.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/strings.h"
#include "routing/version.h"

namespace usher::routing {
namespace {

// Under "/socket.io/", with or without the final slash: engineio adds it before it compares.
bool is_under(std::string_view path, std::string_view prefix) {
  if (path.starts_with(prefix)) return true;
  return prefix.ends_with('/') && path == prefix.substr(0, prefix.size() - 1);
}

}  // namespace

bool Replica::is_called(std::string_view text) const {
  if (text == id) return true;
  if (text.empty()) return false;
  const auto fits = [text](std::string_view called, std::string_view port) {
    if (called.empty() || !starts_with_ignoring_case(text, called)) return false;
    const std::string_view rest = text.substr(called.size());
    return rest.empty() || (rest.front() == ':' && rest.substr(1) == port);
  };
  const std::string port = address.is_unix() ? std::string() : std::to_string(address.port());
  return equals_ignoring_case(text, name) || fits(cut(name, ':').first, port) || fits(host, port) ||
         fits(cut(host, '.').first, port);
}

void Upstream::rank_versions(bool newest) {
  const auto older = [](const std::string& a, const std::string& b) {
    return compare_versions(a, b) < 0;
  };
  std::set<std::string, decltype(older)> versions(older);
  for (const Replica& replica : replicas) {
    if (!replica.version.empty()) versions.insert(replica.version);
  }
  for (Replica& replica : replicas) {
    replica.version_rank = 0;
    if (!newest || versions.empty()) continue;
    const auto at =
        replica.version.empty() ? std::prev(versions.end()) : versions.find(replica.version);
    replica.version_rank = static_cast<uint32_t>(std::distance(versions.begin(), at));
  }
}

MonotonicTime::duration Upstream::rebalance_pause() const {
  return MonotonicTime::duration(std::chrono::seconds(1)) / std::max<uint32_t>(rebalance, 1);
}

const Replica* Upstream::find(std::string_view id) const {
  const auto found = std::find_if(replicas.begin(), replicas.end(),
                                  [&](const Replica& replica) { return replica.id == id; });
  return found == replicas.end() ? nullptr : &*found;
}

bool Upstream::is_socketio(std::string_view path) const {
  const std::string_view plain = cut(path, '?').first;
  return std::any_of(socketio.begin(), socketio.end(),
                     [&](const std::string& prefix) { return is_under(plain, prefix); });
}

}  // namespace usher::routing
