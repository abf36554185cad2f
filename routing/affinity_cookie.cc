#include "routing/affinity_cookie.h"

#include <algorithm>
#include <cassert>

#include "base/random.h"

namespace usher::routing {
namespace {

constexpr std::string_view version = "v1";
constexpr size_t longest = 256;
constexpr size_t client_bytes = 16;
constexpr size_t tag_bytes = 8;
constexpr size_t mac_bytes = 16;
// Replicas come and go under new addresses; what is forgotten is computed again.
constexpr size_t most_tags = 1024;

bool is_base64url_of(std::string_view text, size_t bytes) {
  const auto decoded = from_base64url(text);
  return decoded && decoded->size() == bytes;
}

}  // namespace

AffinityCookies::AffinityCookies(Mac mac, AffinitySecrets secrets)
    : mac_(mac), secrets_(std::move(secrets)) {
  assert(!secrets_.secrets.empty());
}

std::string AffinityCookies::new_client_id() { return to_base64url(random_bytes<client_bytes>()); }

std::string AffinityCookies::seal(std::string_view client, const Binding& binding) const {
  std::string value(version);
  value.append(1, '.').append(client);
  value.append(1, '.').append(tags_of(binding.replica).front());
  value.append(1, '.').append(std::to_string(binding.epoch));
  const std::string mac = sign(secrets_.secrets.front(), value);
  return value.append(1, '.').append(mac);
}

std::optional<CookieContent> AffinityCookies::open(std::string_view value) const {
  if (value.size() > longest) return std::nullopt;
  const size_t last_dot = value.rfind('.');
  if (last_dot == std::string_view::npos) return std::nullopt;
  const std::string_view body = value.substr(0, last_dot);
  const std::string_view mac = value.substr(last_dot + 1);

  const auto [said_version, after_version] = cut(body, '.');
  if (said_version != version || !after_version) return std::nullopt;
  const auto [client, after_client] = cut(*after_version, '.');
  if (!after_client || !is_base64url_of(client, client_bytes)) return std::nullopt;
  const auto [tag, epoch_text] = cut(*after_client, '.');
  if (!epoch_text || !is_base64url_of(tag, tag_bytes)) return std::nullopt;
  const auto epoch = parse_decimal<uint64_t>(*epoch_text);
  if (!epoch || *epoch == 0) return std::nullopt;

  const auto& secrets = secrets_.secrets;
  const auto signer = std::find_if(secrets.begin(), secrets.end(), [&](const std::string& secret) {
    return equals_in_constant_time(sign(secret, body), mac);
  });
  if (signer == secrets.end()) return std::nullopt;
  return CookieContent{.client = std::string(client),
                       .replica_tag = std::string(tag),
                       .epoch = *epoch,
                       .renew = signer != secrets.begin()};
}

bool AffinityCookies::names(const CookieContent& content, std::string_view replica_id) const {
  const Tags& tags = tags_of(replica_id);
  return std::find(tags.begin(), tags.end(), content.replica_tag) != tags.end();
}

const Replica* AffinityCookies::replica_of(const CookieContent& content,
                                           const Upstream& upstream) const {
  const auto& replicas = upstream.replicas;
  const auto named = std::find_if(replicas.begin(), replicas.end(), [&](const Replica& replica) {
    return names(content, replica.id);
  });
  return named == replicas.end() ? nullptr : &*named;
}

const AffinityCookies::Tags& AffinityCookies::tags_of(std::string_view replica_id) const {
  if (const auto known = tags_.find(replica_id); known != tags_.end()) return known->second;
  if (tags_.size() >= most_tags) tags_.clear();
  Tags tags;
  for (const std::string& secret : secrets_.secrets)
    tags.push_back(tag_of(secret, replica_id));
  return tags_.emplace(replica_id, std::move(tags)).first->second;
}

std::string AffinityCookies::tag_of(std::string_view secret, std::string_view replica_id) const {
  const auto mac = mac_(bytes_of(secret), std::string("replica:").append(replica_id));
  return to_base64url(std::span(mac).first(tag_bytes));
}

std::string AffinityCookies::sign(std::string_view secret, std::string_view body) const {
  const auto mac = mac_(bytes_of(secret), body);
  return to_base64url(std::span(mac).first(mac_bytes));
}

}  // namespace usher::routing
