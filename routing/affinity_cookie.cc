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
// About 100 KiB a worker, and as much again when all are taken.
constexpr size_t slots = 1024;

std::string tag_of(const Mac& mac, std::string_view replica_id) {
  const auto digest = mac(std::string("replica:").append(replica_id));
  return to_base64url(std::span(digest).first(tag_bytes));
}

std::string sign(const Mac& mac, std::string_view body) {
  const auto digest = mac(body);
  return to_base64url(std::span(digest).first(mac_bytes));
}

bool is_base64url_of(std::string_view text, size_t bytes) {
  const auto decoded = from_base64url(text);
  return decoded && decoded->size() == bytes;
}

}  // namespace

AffinityCookies::AffinityCookies(MakeMac make_mac, const AffinitySecrets& secrets)
    : opened_(slots) {
  assert(!secrets.secrets.empty());
  for (const std::string& secret : secrets.secrets)
    macs_.push_back(make_mac(bytes_of(secret)));
}

std::string AffinityCookies::new_client_id() { return to_base64url(random_bytes<client_bytes>()); }

std::string AffinityCookies::seal(std::string_view client, const Binding& binding) const {
  std::string value(version);
  value.append(1, '.').append(client);
  value.append(1, '.').append(tags_of(binding.replica).front());
  value.append(1, '.').append(std::to_string(binding.epoch));
  const std::string mac = sign(macs_.front(), value);
  return value.append(1, '.').append(mac);
}

std::optional<CookieContent> AffinityCookies::open(std::string_view value) const {
  if (value.size() > longest) return std::nullopt;
  Opened& slot = opened_[StringHash{}(value) % slots];
  if (!value.empty() && equals_in_constant_time(slot.value, value)) return slot.content;
  std::optional<CookieContent> content = verify(value);
  if (content) slot = {std::string(value), *content};
  return content;
}

std::optional<CookieContent> AffinityCookies::verify(std::string_view value) const {
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

  const auto signer = std::find_if(macs_.begin(), macs_.end(), [&](const Mac& candidate) {
    return equals_in_constant_time(sign(candidate, body), mac);
  });
  if (signer == macs_.end()) return std::nullopt;
  return CookieContent{.client = std::string(client),
                       .replica_tag = std::string(tag),
                       .epoch = *epoch,
                       .renew = signer != macs_.begin()};
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
  for (const Mac& mac : macs_)
    tags.push_back(tag_of(mac, replica_id));
  return tags_.emplace(replica_id, std::move(tags)).first->second;
}

}  // namespace usher::routing
