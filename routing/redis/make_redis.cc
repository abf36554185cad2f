#include "routing/redis/make_redis.h"

#include "routing/redis/cluster_client.h"
#include "routing/redis/redis_client.h"

namespace usher::routing::redis {

std::unique_ptr<Redis> make_redis(const Access& access, Redis::Watcher& watcher) {
  if (access.settings.url.kind == conf::StoreKind::cluster) {
    return std::make_unique<ClusterClient>(access, watcher);
  }
  return std::make_unique<RedisClient>(access, watcher);
}

}  // namespace usher::routing::redis
