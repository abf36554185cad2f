#include "routing/redis/redis_store.h"

#include <utility>

#include "base/strings.h"

namespace usher::routing::redis {
namespace {

// The bounds of what counts as a binding, in the scripts too: an epoch that Lua's doubles hold
// exactly.
constexpr size_t most_epoch_digits = 15;
constexpr size_t longest_value = 300;

// The stored binding wins if its epoch is as high or higher; then only its life is prolonged. What
// is no binding, or no string at all, is replaced: a spoilt key must not stay spoilt. A move is
// announced in the same breath; a user who may not publish moves it all the same.
constexpr std::string_view claim_script = R"lua(
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then
  if held.err and not string.find(held.err, 'WRONGTYPE', 1, true) then return held end
  held = false
end
if held and #held <= 300 then
  local epoch = string.match(held, '^(%d+) .')
  if epoch and #epoch <= 15 and tonumber(epoch) >= tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return held
  end
end
local proposal = ARGV[1] .. ' ' .. ARGV[2]
redis.call('SET', KEYS[1], proposal, 'PX', ARGV[3])
if tonumber(ARGV[1]) > 1 then redis.pcall('PUBLISH', ARGV[4], ARGV[5] .. ' ' .. proposal) end
return proposal
)lua";

// Whoever comes first makes the secret; everybody who comes prolongs its life.
constexpr std::string_view secret_script = R"lua(
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then
  if held.err and not string.find(held.err, 'WRONGTYPE', 1, true) then return held end
  held = false
end
if held and #held > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return held
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
)lua";

Error unexpected(const Reply& reply) {
  return {Errc::store_error, Side::store, "unexpected answer: '" + reply.text.substr(0, 64) + "'"};
}

}  // namespace

std::optional<Binding> parse_binding(std::string_view value) {
  if (value.size() > longest_value) return std::nullopt;
  const auto [epoch_text, replica] = cut(value, ' ');
  if (!replica || replica->empty() || epoch_text.size() > most_epoch_digits) return std::nullopt;
  const auto epoch = parse_decimal<uint64_t>(epoch_text);
  if (!epoch || *epoch == 0) return std::nullopt;
  return Binding{std::string(*replica), *epoch};
}

std::string moved_channel(const std::string& prefix) { return prefix + ":moved"; }

std::optional<Moved> parse_moved(std::string_view text) {
  const auto [key, value] = cut(text, ' ');
  if (key.empty() || !value) return std::nullopt;
  auto binding = parse_binding(*value);
  if (!binding) return std::nullopt;
  return Moved{std::string(key), std::move(*binding)};
}

RedisStore::RedisStore(Redis& redis, std::string prefix)
    : redis_(redis), prefix_(std::move(prefix)) {}

Pending RedisStore::find(std::string_view key, Found found) {
  const std::string whole = key_of(key);
  return redis_.call(whole, {"GET", whole}, [found = std::move(found)](Result<Reply> reply) {
    if (!reply) {
      const bool spoilt = reply.error().detail.starts_with("WRONGTYPE");
      return spoilt ? found(std::optional<Binding>()) : found(reply.error());
    }
    if (reply->kind == Reply::Kind::nil) return found(std::optional<Binding>());
    if (reply->kind != Reply::Kind::text) return found(unexpected(*reply));
    found(parse_binding(reply->text));
  });
}

Pending RedisStore::claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl,
                          Claimed claimed) {
  const std::string whole = key_of(key);
  return redis_.call(whole,
                     {"EVAL", claim_script, "1", whole, std::to_string(proposal.epoch),
                      proposal.replica, std::to_string(ttl.count()), moved_channel(prefix_), key},
                     [claimed = std::move(claimed)](Result<Reply> reply) {
                       if (!reply) return claimed(reply.error());
                       auto winner = parse_binding(reply->text);
                       if (!winner) return claimed(unexpected(*reply));
                       claimed(std::move(*winner));
                     });
}

Pending RedisStore::agree_on_secret(std::string_view proposal, std::chrono::milliseconds ttl,
                                    std::function<void(Result<std::string>)> agreed) {
  const std::string whole = key_of("secret");
  return redis_.call(whole,
                     {"EVAL", secret_script, "1", whole, proposal, std::to_string(ttl.count())},
                     [agreed = std::move(agreed)](Result<Reply> reply) {
                       if (!reply) return agreed(reply.error());
                       if (reply->kind != Reply::Kind::text) return agreed(unexpected(*reply));
                       agreed(std::move(reply->text));
                     });
}

std::string RedisStore::key_of(std::string_view key) const {
  return std::string(prefix_).append(1, ':').append(key);
}

}  // namespace usher::routing::redis
