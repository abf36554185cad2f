#include "routing/redis/make_redis.h"

#include "routing/redis/redis_client.h"

namespace usher::routing::redis {

std::unique_ptr<Redis> make_redis(const Access& access, Redis::Watcher& watcher) {
  return std::make_unique<RedisClient>(access, watcher);
}

}  // namespace usher::routing::redis
