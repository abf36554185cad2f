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

// Whoever comes first makes the ring, or says again what a store that lost it had; whoever comes
// when it is time puts a new secret in front; everybody who comes prolongs its life. What has been
// in a ring and is not in this one, though it is not too old, had been lost: it comes in again. One
// clock: the server's, if we may ask for it.
constexpr std::string_view ring_script = R"lua(
local now = tonumber(ARGV[7])
local time = redis.pcall('TIME')
if not time.err then now = time[1] * 1000 + math.floor(time[2] / 1000) end
local function read(text)
  local ring = {}
  for line in string.gmatch(text, '[^\n]+') do
    local made, secret = string.match(line, '^(%d+) (%S+)$')
    if made and #made <= 15 and #ring < 8 then
      made = tonumber(made)
      local alone = made == 0
      if alone or made > now then made = now end
      ring[#ring + 1] = {made, secret, alone}
    end
  end
  return ring
end
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then
  if held.err and not string.find(held.err, 'WRONGTYPE', 1, true) then return held end
  held = false
end
local ring = held and read(held) or {}
local known = read(ARGV[1])
if #ring == 0 then ring, known = known, {} end
local before = #ring
for _, entry in ipairs(known) do
  local there = entry[3]
  for i = 1, before do there = there or ring[i][2] == entry[2] end
  if not there then ring[#ring + 1] = entry end
end
if #ring > before then table.sort(ring, function(a, b) return a[1] > b[1] end) end
local rotate_after = tonumber(ARGV[3])
local due = rotate_after > 0 and #ring > 0 and now - ring[1][1] >= rotate_after
if #ring == 0 or due or ARGV[6] == '1' then table.insert(ring, 1, {now, ARGV[2]}) end
for i = #ring, 2, -1 do
  if i > 8 or now - ring[i - 1][1] > tonumber(ARGV[4]) then table.remove(ring, i) end
end
local lines = {}
for i, entry in ipairs(ring) do lines[i] = string.format('%.0f %s\n', entry[1], entry[2]) end
local text = table.concat(lines)
redis.call('SET', KEYS[1], text, 'PX', ARGV[5])
return {text, string.format('%.0f', now)}
)lua";

int64_t millis_of(WallTime time) {
  return std::chrono::duration_cast<Duration>(time.time_since_epoch()).count();
}

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

Pending RedisStore::find_challenge(std::string_view token, FoundChallenge found) {
  const std::string key = key_of(challenge_key(token));
  return redis_.call(key, {"GET", key}, [found = std::move(found)](Result<Reply> reply) {
    if (!reply) return found(reply.error());
    if (reply->kind != Reply::Kind::text) return found(std::optional<std::string>());
    found(std::optional(std::move(reply->text)));
  });
}

Pending RedisStore::keep_challenge(std::string_view token, std::string_view key_authorization,
                                   std::chrono::milliseconds ttl, KeptChallenge kept) {
  const std::string key = key_of(challenge_key(token));
  return redis_.call(key, {"SET", key, key_authorization, "PX", std::to_string(ttl.count())},
                     [kept = std::move(kept)](Result<Reply> reply) {
                       kept(reply ? Outcome() : Outcome(reply.error()));
                     });
}

Pending RedisStore::drop_challenge(std::string_view token, KeptChallenge dropped) {
  const std::string key = key_of(challenge_key(token));
  return redis_.call(key, {"DEL", key}, [dropped = std::move(dropped)](Result<Reply> reply) {
    dropped(reply ? Outcome() : Outcome(reply.error()));
  });
}

Pending RedisStore::agree_on_ring(std::string_view name, const SecretRing& known,
                                  std::string_view fresh, const RingRules& rules, bool rotate,
                                  WallTime now, std::function<void(Result<AgreedRing>)> agreed) {
  const std::string whole = key_of(name);
  return redis_.call(
      whole,
      {"EVAL", ring_script, "1", whole, known.to_text(), fresh,
       std::to_string(rules.rotate_after.count()), std::to_string(rules.keep.count()),
       std::to_string(rules.life.count()), rotate ? "1" : "0", std::to_string(millis_of(now))},
      [agreed = std::move(agreed)](Result<Reply> reply) {
        if (!reply) return agreed(reply.error());
        if (reply->array.size() != 2) return agreed(unexpected(*reply));
        SecretRing ring = SecretRing::parse(reply->array[0].text);
        const auto said_at = parse_ring_time(reply->array[1].text);
        if (ring.empty() || !said_at) return agreed(unexpected(reply->array[0]));
        agreed(AgreedRing{std::move(ring), *said_at});
      });
}

std::string RedisStore::key_of(std::string_view key) const {
  return std::string(prefix_).append(1, ':').append(key);
}

}  // namespace usher::routing::redis
