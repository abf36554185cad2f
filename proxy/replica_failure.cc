#include "proxy/replica_failure.h"

#include "proxy/worker.h"

namespace usher::proxy {

void note_failed_attempt(Worker& worker, const routing::Upstream& upstream,
                         const routing::Replica& replica, const Error& error, bool broke_off) {
  routing::ReplicaStatus& status = *replica.status;
  bool went_down = false;
  switch (error.code) {
    case Errc::connect_refused: went_down = status.connect_refused(); break;
    case Errc::connect_failed:
    case Errc::connect_timeout: went_down = status.attempt_failed(upstream.fall); break;
    default:
      if (!broke_off) return;
      status.broke_off(upstream.fall);
  }
  if (status.suspect()) worker.shared().look_at(replica.id);
  if (went_down) {
    worker.shared().log.warning("replica_down", {{"upstream", upstream.name},
                                                 {"replica", replica.id},
                                                 {"name", replica.called()},
                                                 {"reason", to_string(error)}});
  }
}

}  // namespace usher::proxy
