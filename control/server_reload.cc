// SIGHUP, POST /api/reload: other settings under a running process.

#include <csignal>

#include "conf/keys.h"
#include "control/server.h"

namespace usher::control {

// All or nothing: whatever fails, what was served before is served on.
Outcome Server::reload() {
  if (draining_) return Error{Errc::system, Side::usher, "this process is draining"};
  auto loaded = reload_();
  if (!loaded) return std::move(loaded).error();
  conf::Settings& next = loaded->settings;
  for (const std::string& warning : loaded->warnings)
    log_.warning("config", {{"warning", warning}});
  for (const std::string& name : conf::keep_until_restart(settings_, next))
    log_.warning("reload_needs_restart", {{"setting", name}});
  auto replica_tls = load_replica_tls(next, loaded->files);
  if (!replica_tls) return std::move(replica_tls).error();
  auto passwords = PasswordKeeper::load(next, loaded->files);
  if (!passwords) return std::move(passwords).error();
  Inheritance nothing;
  auto listeners = listeners_.make(next.listen, worker_count(), nothing);
  if (!listeners) return std::move(listeners).error();
  log_look_.start(log_look_interval);
  auto files = log_files_.open(next.log);
  if (!files) return std::move(files).error();
  const bool had_tls = tls_ != nullptr;
  if (Outcome certificates =
          load_certificates(next, loaded->files, CertificateKeeper::Strictness::all_or_none);
      !certificates) {
    return certificates;
  }

  const std::string changed = conf::differences(settings_, next);
  const bool new_upstreams = settings_.upstreams != next.upstreams;
  const bool new_listeners = settings_.listen != next.listen;
  replica_tls_ = std::move(*replica_tls);
  passwords_.use(std::move(*passwords), loaded->files);
  settings_ = std::move(next);
  files_ = std::move(loaded->files);
  admin_guard_ = AdminGuard(settings_.admin, node_);
  use(std::move(*files));
  limit_zones_ = proxy::LimitZones(settings_, limit_zones_);
  node_sids_.set_share(settings_.limits.sids);
  log_.set_least(log_level(settings_.log));
  if (new_upstreams) discovery_.start(settings_.upstreams);
  if (tls_ && !had_tls) {
    tickets_.start(settings_.tls, shared_store_.get());
    renew_tls();
  }
  // A worker leaves a listener before what it was served with goes, and accepts at one when it has
  // what that needs.
  if (new_listeners) listeners_.retire(*listeners, workers_);
  publish();
  if (new_listeners) {
    listeners_.use(std::move(*listeners));
    listeners_.open(workers_);
    log_.info("listening", {{"at", listeners_.urls()}});
  }
  log_.info("reloaded", {{"source", loaded->source}, {"changed", changed}});
  return {};
}

void Server::reload_on_signal() {
  if (pass_on(SIGHUP) || !open_ || draining_) return;
  service_manager_.reloading();
  const Outcome reloaded = reload();
  if (!reloaded) log_.error("reload_failed", {{"reason", reloaded.error().detail}});
  service_manager_.reloaded(reloaded ? "serving" : "serving; the reload failed, see the log");
}

}  // namespace usher::control
