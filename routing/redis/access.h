// How the servers of a store are reached and greeted, for one loop.
#pragma once

#include "base/files.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "routing/redis/connection.h"

namespace usher::routing::redis {

// What it refers to outlives whoever is made with it.
struct Access {
  net::Loop& loop;
  net::Resolver& resolver;
  const conf::StoreSettings& settings;
  MakeTransport make_transport;
};

MakeTransport plain_transports();
// For settings.url: plain, or TLS. An error names the file that is wrong.
Result<MakeTransport> make_transports(const conf::StoreSettings& settings, const Files& files = {});

// The AUTH that settings.url asks for; nothing when it names neither user nor password.
Greeting authentication(const conf::StoreUrl& url);
// That, and the database.
Greeting greeting(const conf::StoreUrl& url);

// For settings.url: the server that is named, or the master that the Sentinels name.
std::unique_ptr<ServerFinder> make_finder(const Access& access);

}  // namespace usher::routing::redis
