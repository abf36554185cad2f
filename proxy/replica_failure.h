// What an attempt to reach a replica that failed says of it, for everybody.
#pragma once

#include "base/error.h"
#include "routing/replica.h"

namespace usher::proxy {

class Worker;

// `broke_off`: a connection that was made for this attempt was closed without a byte of an answer.
void note_failed_attempt(Worker& worker, const routing::Upstream& upstream,
                         const routing::Replica& replica, const Error& error, bool broke_off);

}  // namespace usher::proxy
