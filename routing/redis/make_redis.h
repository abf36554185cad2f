// The right Redis for a store's URL.
#pragma once

#include <memory>

#include "routing/redis/access.h"
#include "routing/redis/redis.h"

namespace usher::routing::redis {

// settings.url is not memory:. What access refers to, and the watcher, outlive it.
std::unique_ptr<Redis> make_redis(const Access& access, Redis::Watcher& watcher);

}  // namespace usher::routing::redis
