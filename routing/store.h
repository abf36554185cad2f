// All that the nodes share, as one worker asks for it.
#pragma once

#include "routing/affinity_store.h"
#include "routing/challenge_store.h"

namespace usher::routing {

class Store : public AffinityStore, public ChallengeStore {};

}  // namespace usher::routing
