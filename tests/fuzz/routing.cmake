usher_fuzz(affinity_cookie DEPS usher_routing usher_tls)
usher_fuzz(redis_reply DEPS usher_routing_redis)
usher_fuzz(redis_value DEPS usher_routing_redis)
usher_fuzz(routes DEPS usher_routing)
