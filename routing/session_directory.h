// "Which replica is this session's home?", answered once for all its traffic. One a worker: a
// bounded cache in front of the store, and these rules:
// - a sid goes to the replica that issued it, cookie or not, unless its client has moved since;
// - a cookie's client goes to its home; home down, gone, or draining and without a websocket of
//   this client: it is moved once, by compare-and-set, and everybody agrees;
// - with upstream.rebalance, an idle client may be moved the same way to a replica that has joined;
// - a client without either is placed and given a cookie with epoch 1;
// - what such a cookie says needs no record: the store is asked whether somebody has moved the
//   client, and told only when it is moved;
// - the store is asked at most once per session, node and minute; when it fails or is late, the
//   cookie, the cache and rendezvous hashing decide;
// - a sid that the store does not hold is not asked about again for a moment.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/seeded_hash.h"
#include "base/strings.h"
#include "conf/settings.h"
#include "routing/affinity_cookie.h"
#include "routing/affinity_store.h"
#include "routing/binding_cache.h"
#include "routing/live_sessions.h"
#include "routing/node_bindings.h"
#include "routing/node_sids.h"
#include "routing/placement.h"
#include "routing/unknown_keys.h"

namespace usher::routing {

// What the access log calls `affinity`.
enum class AffinityOutcome : uint8_t { none, fresh, cookie, sid, rebound };
std::string_view name_of(AffinityOutcome outcome);  // "none", "new", "cookie", "sid", "rebound"

// What a request says of its session.
struct SessionClaim {
  std::string sid;                      // empty: none
  std::optional<CookieContent> cookie;  // genuine
  std::string network{};                // of the client's address, for sids; empty: none
  // Whoever asks has taken its client's turn (ReplicaStatus::receive) to move to this replica,
  // which has joined, and nothing of that client is open. Or nullptr.
  const ReplicaStatus* turn_at = nullptr;
};

struct Home {
  const Replica* replica = nullptr;  // nullptr: no replica is up. Lives in the Upstream given.
  AffinityOutcome outcome = AffinityOutcome::none;
  std::string client;       // the client's id, new or from the cookie
  Binding binding;          // what a new cookie must say, if set_cookie
  bool set_cookie = false;  // the client's cookie is absent or says something else
  bool news = false;        // this worker did not know it before this request
};

// Whose new home that is; empty for a session of Engine.IO.
std::string_view client_of(const Moved& moved);

class SessionDirectory final {
 public:
  using Answer = std::function<void(Home)>;

  SessionDirectory(AffinityStore& store, const Clock& clock, const conf::AffinitySettings& settings,
                   Placement& placement, const LiveSessions& live, NodeSids& node_sids,
                   NodeBindings& node_bindings, UnknownKeys& unknown);
  ~SessionDirectory();
  SessionDirectory(const SessionDirectory&) = delete;
  SessionDirectory& operator=(const SessionDirectory&) = delete;

  // Known here and fresh: answered at once, without the store. `avoid` is a replica that has just
  // failed this request: a session whose home it is must move.
  std::optional<Home> find_now(const SessionClaim& claim, const Upstream& upstream,
                               const AffinityCookies& cookies, const Replica* avoid = nullptr);
  // Else: asks the store. The answer comes in a later turn; upstream and cookies must live until
  // then.
  Pending find(SessionClaim claim, const Upstream& upstream, const AffinityCookies& cookies,
               const Replica* avoid, Answer answer);

  // A polling handshake was answered with this sid by `opened_at`'s replica; its epoch is that of
  // the client's home then. `kept` is called when the store has it (other nodes will route it) or
  // cannot have it; the response's end waits for that. Not active: the client's network has as many
  // as it may, and this one is found by its client's cookie alone.
  Pending learn_sid(std::string_view sid, const Binding& opened_at, std::string_view network,
                    std::function<void()> kept);

  bool store_available() const { return store_.available(); }
  // What the store says of a client's home: for who has no request of the client to ask with. The
  // answer comes in a later turn, and is remembered.
  using Recalled = std::function<void(const Result<std::optional<Binding>>&)>;
  Pending recall(const std::string& client, Recalled recalled);

  // Other nodes have moved these sessions.
  void learn(const std::vector<Moved>& moved);
  // Other nodes may have moved any session: each is asked about when it is next used.
  void doubt();

  struct Counters {
    uint64_t store_calls = 0;
    uint64_t store_failures = 0;
    uint64_t cache_hits = 0;
    uint64_t rebound = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  // What a session's request is judged by.
  struct View {
    const SessionClaim& claim;
    const Upstream& upstream;
    const AffinityCookies& cookies;
    const Replica* avoid;
  };
  // A replica and the binding that says so. replica is nullptr when all are down.
  struct Choice {
    const Replica* replica = nullptr;
    Binding binding;
  };
  using Answered = Result<std::optional<Binding>>;

  class Lookup;    // one find() under way
  class Learning;  // one learn_sid() under way
  // One question to the store, for all who ask it at the same time.
  struct Question {
    Pending answer;
    std::list<Lookup*> askers;
  };

  // The rules. None of them asks the store.
  const BindingCache::Entry* remembered_sid(const std::string& key);
  bool is_unknown_sid(const std::string& key);
  const Replica* sid_replica(const View& view, const BindingCache::Entry* session);
  const Replica* reachable(const View& view, std::string_view replica_id) const;
  const Replica* usable(const View& view, std::string_view replica_id) const;
  bool fresh(const BindingCache::Entry& entry) const;
  BindingCache::Entry* fresh_entry(const std::string& key);
  void share(const std::string& key);
  std::optional<Home> known_client(const View& view);
  Binding believed(const View& view);
  const Replica* better_home(const View& view, const Replica& home) const;
  Choice choose(const View& view, const Binding& known) const;
  Home decide_alone(const View& view);
  Home newcomer(const View& view);
  Home sid_home(const View& view, const Replica& replica, uint64_t epoch) const;
  Home client_home(const View& view, const Choice& choice);

  void ask(Lookup& asker, const std::string& key, const Binding* proposal, Duration ttl);
  bool confirms(const Answered& answer, const View& view, const Binding& known);
  void answered(const std::string& key, const Answered& answer);
  void remember(const std::string& key, const Answered& answer);

  AffinityStore& store_;
  const Clock& clock_;
  const Duration idle_;
  Placement& placement_;
  const LiveSessions& live_;
  NodeSids& node_sids_;
  NodeBindings& node_bindings_;
  UnknownKeys& unknown_;
  MonotonicTime doubted_ = BindingCache::never;
  Counters counters_;
  BindingCache cache_;
  std::unordered_map<std::string, Question, SeededHash> questions_;
  std::list<Lookup> lookups_;
  std::list<Learning> learnings_;
};

}  // namespace usher::routing
