// Addresses as people write them: endpoints, store URLs, networks. An error's detail says what was
// expected and what was there; a password is never part of it.
#pragma once

#include <string_view>

#include "base/result.h"
#include "conf/settings.h"

namespace usher::conf {

// "host:port", ":port", "[::1]:8080" or "unix:/path". Port 0 lets the kernel choose.
Result<Endpoint> parse_listen_endpoint(std::string_view text);

// "host:port", "[::1]:8080" or "unix:/path": both host and port, and the port is not 0.
Result<Endpoint> parse_replica_endpoint(std::string_view text);

// A DNS server: an address, "127.0.0.11" or "[::1]:5353". Without a port it is 53.
Result<Endpoint> parse_nameserver(std::string_view text);

// A replica's endpoint, "https://" before it if it speaks TLS, and after a space its weight, and
// "backup" if it is one: "b:8080 weight=2 backup".
Result<ReplicaSettings> parse_replica(std::string_view text);

// "memory:", or one of
//   redis://[[user]:password@]host[:port][/database]                  one server
//   redis+sentinel://[[user]:password@]host[:port],…/service[/database]  the Sentinels of a master
//   redis+cluster://[[user]:password@]host[:port],…                   members of a Redis Cluster
// and the same with rediss: TLS. User and password are percent-encoded.
Result<StoreUrl> parse_store_url(std::string_view text);

// "10.0.0.0/8", "fd00::/8", an address alone, or "unix:". A bit set beyond the mask is an error.
Result<Cidr> parse_cidr(std::string_view text);

}  // namespace usher::conf
