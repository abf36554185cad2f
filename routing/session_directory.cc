#include "routing/session_directory.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace usher::routing {
namespace {

constexpr size_t most_cached = 65'536;
constexpr Duration fresh_for = std::chrono::seconds(60);
constexpr size_t longest_sid = 128;
// How often one find() proposes a new home before it settles for its own opinion.
constexpr int most_rounds = 3;
// Further rounds are for a store that answers quickly: a request waits for one slow answer, not for
// three.
constexpr Duration patience = std::chrono::milliseconds(50);

constexpr std::string_view client_prefix = "client:";
std::string client_key(std::string_view client) {
  return std::string(client_prefix).append(client);
}

// A replica's sids are short; what a client makes up may be of any length.
std::string sid_key(std::string_view sid) {
  return std::string("sid:").append(sid.substr(0, longest_sid));
}

Home nowhere(std::string client) {
  Home home;
  home.client = std::move(client);
  return home;
}

}  // namespace

std::string_view name_of(AffinityOutcome outcome) {
  switch (outcome) {
    case AffinityOutcome::none: return "none";
    case AffinityOutcome::fresh: return "new";
    case AffinityOutcome::cookie: return "cookie";
    case AffinityOutcome::sid: return "sid";
    case AffinityOutcome::rebound: return "rebound";
  }
  return "none";
}

std::string_view client_of(const Moved& moved) {
  const std::string_view key = moved.key;
  return key.starts_with(client_prefix) ? key.substr(client_prefix.size()) : std::string_view();
}

// One find(): asks the store about the sid, then about the client, until the home is known.
class SessionDirectory::Lookup final : public PendingAnswer {
 public:
  Lookup(SessionDirectory& directory, SessionClaim claim, const Upstream& upstream,
         const AffinityCookies& cookies, const Replica* avoid, Answer answer)
      : directory_(directory),
        claim_(std::move(claim)),
        view_{claim_, upstream, cookies, avoid},
        answer_(std::move(answer)),
        asked_at_(directory.clock_.now()) {}
  ~Lookup() {
    if (question_) question_->askers.remove(this);
  }

  void start(std::list<Lookup>::iterator place) {
    place_ = place;
    claim_.sid.empty() || directory_.is_unknown_sid(sid_key(claim_.sid)) ? ask_client() : ask_sid();
  }
  void waits_for(Question& question) { question_ = &question; }
  void resume(const Answered& answer) {
    question_ = nullptr;
    asking_sid_ ? on_sid(answer) : on_client(answer);
  }

 private:
  void ask_sid();
  void on_sid(const Answered& answer);
  void ask_client();
  void propose(const Choice& proposal);
  void on_client(const Answered& answer);
  void finish(Home home);

  bool may_ask_again() const {
    return directory_.store_.available() && directory_.clock_.now() - asked_at_ < patience;
  }
  void cancel() noexcept override { bury(); }
  std::list<Lookup> bury();

  SessionDirectory& directory_;
  SessionClaim claim_;
  View view_;
  Answer answer_;
  MonotonicTime asked_at_;
  int rounds_ = 0;
  bool asking_sid_ = false;
  std::list<Lookup>::iterator place_;  // in lookups_
  Question* question_ = nullptr;
};

void SessionDirectory::Lookup::ask_sid() {
  asking_sid_ = true;
  const std::string key = sid_key(claim_.sid);
  const BindingCache::Entry* known = directory_.remembered_sid(key);
  // What is already known here is claimed: that confirms it and prolongs its life in one command.
  const bool confirm = known && directory_.reachable(view_, known->binding.replica) &&
                       directory_.node_sids_.keep(key, known->binding, claim_.network);
  directory_.ask(*this, key, confirm ? &known->binding : nullptr, NodeSids::life);
}

void SessionDirectory::Lookup::on_sid(const Answered& answer) {
  asking_sid_ = false;
  // An answer is in the cache by now; when there was none, what the cache remembers still holds.
  const BindingCache::Entry* known = directory_.remembered_sid(sid_key(claim_.sid));
  if (!known && answer) directory_.unknown_.add(sid_key(claim_.sid));
  if (const Replica* replica = directory_.sid_replica(view_, known)) {
    directory_.share(sid_key(claim_.sid));
    return finish(directory_.sid_home(view_, *replica, known->binding.epoch));
  }
  if (!claim_.cookie) return finish(directory_.newcomer(view_));
  if (auto home = directory_.known_client(view_)) return finish(std::move(*home));
  if (!may_ask_again()) return finish(directory_.decide_alone(view_));
  ask_client();
}

void SessionDirectory::Lookup::ask_client() {
  // find_now() has served these already; asked nevertheless, they get their answer in a later turn.
  if (!claim_.cookie) return directory_.ask(*this, client_key({}), nullptr, directory_.idle_);
  propose(directory_.choose(view_, directory_.believed(view_)));
}

// Epoch 1 is what the client's cookie says: the store is only asked whether it has been moved.
void SessionDirectory::Lookup::propose(const Choice& proposal) {
  const bool moved = proposal.replica && proposal.binding.epoch > 1;
  directory_.ask(*this, client_key(claim_.cookie->client), moved ? &proposal.binding : nullptr,
                 directory_.idle_);
}

void SessionDirectory::Lookup::on_client(const Answered& answer) {
  if (!claim_.cookie) return finish(directory_.newcomer(view_));
  if (!answer) return finish(directory_.decide_alone(view_));
  // The answer is in the cache by now, unless that knew of a later move. It may be the answer to a
  // question that another request had asked, with an older cookie.
  const Binding known = directory_.believed(view_);
  const Choice choice = directory_.choose(view_, known);
  if (choice.replica && choice.binding == known && directory_.confirms(answer, view_, known)) {
    Home home = directory_.client_home(view_, choice);
    directory_.share(client_key(claim_.cookie->client));
    return finish(std::move(home));
  }
  // Its home is no home here, or the store does not know that it has moved: tell everybody.
  if (!choice.replica || ++rounds_ >= most_rounds || !may_ask_again()) {
    return finish(directory_.decide_alone(view_));
  }
  propose(choice);
}

void SessionDirectory::Lookup::finish(Home home) {
  if (home.outcome == AffinityOutcome::rebound) ++directory_.counters_.rebound;
  home.news = true;
  const std::list<Lookup> self = bury();
  const Answer answer = std::move(answer_);
  finished();
  answer(std::move(home));
}

// Takes this out of the directory; it dies with what is returned.
std::list<SessionDirectory::Lookup> SessionDirectory::Lookup::bury() {
  std::list<Lookup> self;
  self.splice(self.begin(), directory_.lookups_, place_);
  return self;
}

// One learn_sid(): waits for the store to have it.
class SessionDirectory::Learning final : public PendingAnswer {
 public:
  Learning(SessionDirectory& directory, std::function<void()> kept)
      : directory_(directory), kept_(std::move(kept)) {}

  void start(std::list<Learning>::iterator place, std::string key, Binding binding) {
    place_ = place;
    ++directory_.counters_.store_calls;
    stored_ = directory_.store_.claim(
        key, std::move(binding), NodeSids::life,
        [this, key](Result<Binding> winner) { on_stored(key, std::move(winner)); });
  }

 private:
  void on_stored(const std::string& key, Result<Binding> winner) {
    directory_.remember(key, winner ? Answered(std::move(*winner)) : Answered(winner.error()));
    const std::list<Learning> self = bury();
    const std::function<void()> kept = std::move(kept_);
    finished();
    kept();
  }
  void cancel() noexcept override { bury(); }
  std::list<Learning> bury() {
    std::list<Learning> self;
    self.splice(self.begin(), directory_.learnings_, place_);
    return self;
  }

  SessionDirectory& directory_;
  std::function<void()> kept_;
  Pending stored_;
  std::list<Learning>::iterator place_;
};

SessionDirectory::SessionDirectory(AffinityStore& store, const Clock& clock,
                                   const conf::AffinitySettings& settings, Placement& placement,
                                   const LiveSessions& live, NodeSids& node_sids,
                                   NodeBindings& node_bindings, UnknownKeys& unknown)
    : store_(store),
      clock_(clock),
      idle_(settings.idle),
      placement_(placement),
      live_(live),
      node_sids_(node_sids),
      node_bindings_(node_bindings),
      unknown_(unknown),
      cache_(clock, most_cached, settings.idle) {}

SessionDirectory::~SessionDirectory() = default;

std::optional<Home> SessionDirectory::find_now(const SessionClaim& claim, const Upstream& upstream,
                                               const AffinityCookies& cookies,
                                               const Replica* avoid) {
  const View view{claim, upstream, cookies, avoid};
  const bool alone = !store_.available();
  if (!claim.sid.empty()) {
    const std::string key = sid_key(claim.sid);
    const BindingCache::Entry* known = alone ? remembered_sid(key) : fresh_entry(key);
    if (!alone && !known && !is_unknown_sid(key)) return std::nullopt;
    if (const Replica* replica = sid_replica(view, known)) {
      ++counters_.cache_hits;
      return sid_home(view, *replica, known->binding.epoch);
    }
  }
  if (!claim.cookie) return newcomer(view);
  if (alone) return decide_alone(view);
  return known_client(view);
}

Pending SessionDirectory::find(SessionClaim claim, const Upstream& upstream,
                               const AffinityCookies& cookies, const Replica* avoid,
                               Answer answer) {
  Lookup& lookup =
      lookups_.emplace_back(*this, std::move(claim), upstream, cookies, avoid, std::move(answer));
  Pending pending(lookup);
  lookup.start(std::prev(lookups_.end()));
  return pending;
}

Pending SessionDirectory::learn_sid(std::string_view sid, const Binding& opened_at,
                                    std::string_view network, std::function<void()> kept) {
  const std::string key = sid_key(sid);
  if (!node_sids_.keep(key, opened_at, network)) return {};
  cache_.put(key, opened_at, BindingCache::never);
  Learning& learning = learnings_.emplace_back(*this, std::move(kept));
  Pending pending(learning);
  learning.start(std::prev(learnings_.end()), key, opened_at);
  return pending;
}

// By this worker or, when it cannot be had from the store, by another one of this node.
const BindingCache::Entry* SessionDirectory::remembered_sid(const std::string& key) {
  if (const BindingCache::Entry* known = cache_.find(key)) return known;
  const std::optional<Binding> learnt = node_sids_.find(key);
  if (!learnt) return nullptr;
  cache_.put(key, *learnt, BindingCache::never);
  return cache_.find(key);
}

// Neither here nor, as of a moment ago, in the store.
bool SessionDirectory::is_unknown_sid(const std::string& key) {
  return unknown_.has(key) && !remembered_sid(key);
}

// Where the session lives, if it may go on there. A client that has moved since it was opened takes
// all of its traffic along: the old session ends, and the client opens another one at its home.
const Replica* SessionDirectory::sid_replica(const View& view, const BindingCache::Entry* session) {
  if (!session) return nullptr;
  const Binding& opened_at = session->binding;
  if (view.claim.cookie) {
    const Binding home = believed(view);
    const bool moved = home.epoch > opened_at.epoch && home.replica != opened_at.replica;
    if (moved && !home.replica.empty()) return nullptr;
  }
  return reachable(view, opened_at.replica);
}

// Serves at all, and has not just failed this request. A sid's replica is left only when it is
// dead: its session is nowhere else.
const Replica* SessionDirectory::reachable(const View& view, std::string_view replica_id) const {
  const Replica* replica = view.upstream.find(replica_id);
  if (!replica || !replica->status->serves_bound()) return nullptr;
  return view.avoid && view.avoid->id == replica_id ? nullptr : replica;
}

// Fit to be the client's home: a draining replica keeps those who have a websocket to it, until its
// limit is reached.
const Replica* SessionDirectory::usable(const View& view, std::string_view replica_id) const {
  const Replica* replica = reachable(view, replica_id);
  if (!replica || replica->status->state() != ReplicaState::draining) return replica;
  if (clock_.now() >= replica->status->drain_until()) return nullptr;
  return live_.has(view.claim.cookie->client, replica_id) ? replica : nullptr;
}

bool SessionDirectory::fresh(const BindingCache::Entry& entry) const {
  return entry.verified != BindingCache::never && entry.verified > doubted_ &&
         clock_.now() - entry.verified < fresh_for;
}

// What this worker, or else another one of this node, was told lately. nullptr: the store is to be
// asked.
BindingCache::Entry* SessionDirectory::fresh_entry(const std::string& key) {
  BindingCache::Entry* known = cache_.find(key);
  if (known && fresh(*known)) return known;
  const auto shared = node_bindings_.find(key, clock_.now() - fresh_for);
  if (!shared || (known && known->binding.epoch > shared->binding.epoch)) return nullptr;
  BindingCache::Entry& entry = cache_.put(key, shared->binding, shared->verified);
  entry.absences = shared->absences;
  return fresh(entry) ? &entry : nullptr;
}

void SessionDirectory::share(const std::string& key) {
  const BindingCache::Entry* known = cache_.find(key);
  if (!known || !fresh(*known)) return;
  node_bindings_.put(key, {known->binding, known->verified, known->absences});
}

Pending SessionDirectory::recall(const std::string& client, Recalled recalled) {
  ++counters_.store_calls;
  std::string key = client_key(client);
  return store_.find(key, [this, key, recalled = std::move(recalled)](const Answered& found) {
    remember(key, found);
    recalled(found);
  });
}

void SessionDirectory::learn(const std::vector<Moved>& moved) {
  for (const Moved& each : moved)
    cache_.learn(each);
}

void SessionDirectory::doubt() { doubted_ = clock_.now(); }

// What the cookie and this node say together. The higher epoch is right; of two equal ones that
// which the store has confirmed, else the cookie, which is the one thing that all nodes see.
Binding SessionDirectory::believed(const View& view) {
  const CookieContent& cookie = *view.claim.cookie;
  const Replica* named = view.cookies.replica_of(cookie, view.upstream);
  const Binding said{named ? named->id : std::string(), cookie.epoch};
  const std::string key = client_key(cookie.client);
  const BindingCache::Entry* known = cache_.find(key);
  const auto best = [&]() -> const Binding& {
    if (!known || known->binding.epoch < said.epoch) return said;
    if (known->binding.epoch > said.epoch || !named) return known->binding;
    return known->verified != BindingCache::never ? known->binding : said;
  };
  // Another worker may have moved the client: while this one waited, or without the store.
  return node_bindings_.last_known(key, best().epoch).value_or(best());
}

// A replica that has joined, if this client may move to it now: it is idle, and everybody can be
// told.
const Replica* SessionDirectory::better_home(const View& view, const Replica& home) const {
  if (view.upstream.rebalance == 0 || !store_.available()) return nullptr;
  if (view.claim.turn_at) {
    const auto newcomer =
        std::ranges::find(view.upstream.replicas, view.claim.turn_at,
                          [](const Replica& replica) { return replica.status.get(); });
    const bool takes = newcomer != view.upstream.replicas.end() && newcomer->status->takes_new();
    return takes ? &*newcomer : nullptr;
  }
  const MonotonicTime now = clock_.now();
  const Replica* next = Placement::emptier_newcomer(view.upstream, home, now);
  if (!next || !next->status->may_receive(now)) return nullptr;
  return live_.idle(view.claim.cookie->client) ? next : nullptr;
}

// The home that `known` names; if it is none any more, a new one with a higher epoch: the same on
// every node that sees the same replicas.
SessionDirectory::Choice SessionDirectory::choose(const View& view, const Binding& known) const {
  if (const Replica* home = usable(view, known.replica)) {
    const Replica* better = better_home(view, *home);
    const bool moves =
        better && (view.claim.turn_at ||
                   better->status->receive(clock_.now(), view.upstream.rebalance_pause()));
    if (!moves) return {home, known};
    return {better, {better->id, known.epoch + 1}};
  }
  const std::string_view client = view.claim.cookie->client;
  const Replica* home = view.upstream.find(known.replica);
  const Replica* next = Placement::pick_by_key(view.upstream, client, view.avoid, home);
  // When nobody takes new clients, draining is no reason to move; nor is it, before its limit, a
  // reason to meet another version.
  if (reachable(view, known.replica)) {
    const bool another_version = next && next->version_rank != home->version_rank &&
                                 clock_.now() < home->status->drain_until();
    if (!next || !next->status->takes_new() || another_version) return {home, known};
  }
  if (!next || next->id == known.replica) return {next, known};
  return {next, {next->id, known.epoch + 1}};
}

std::optional<Home> SessionDirectory::known_client(const View& view) {
  const CookieContent& cookie = *view.claim.cookie;
  const BindingCache::Entry* known = fresh_entry(client_key(cookie.client));
  // A cookie with a higher epoch comes from a node that knows better than this cache.
  if (!known || known->binding.epoch < cookie.epoch) return std::nullopt;
  const Replica* replica = usable(view, known->binding.replica);
  // A replica that was away has lost clients to others: the store knows which.
  if (!replica || known->absences != replica->status->absences()) return std::nullopt;
  if (better_home(view, *replica)) return std::nullopt;  // moving is the store's to confirm
  ++counters_.cache_hits;
  return client_home(view, {replica, known->binding});
}

// Without the store: a new home is remembered as unconfirmed, and is claimed once the store is
// back.
Home SessionDirectory::decide_alone(const View& view) {
  const Choice choice = choose(view, believed(view));
  if (!choice.replica) return nowhere(view.claim.cookie->client);
  const std::string key = client_key(view.claim.cookie->client);
  const BindingCache::Entry* known = cache_.find(key);
  const bool news = !known || known->binding != choice.binding;
  if (news) {
    cache_.put(key, choice.binding, BindingCache::never);
    node_bindings_.suppose(key, choice.binding);
  }
  Home home = client_home(view, choice);
  home.news = news;
  return home;
}

Home SessionDirectory::newcomer(const View& view) {
  Home home = nowhere(AffinityCookies::new_client_id());
  if (!view.claim.sid.empty()) {
    home.replica = Placement::pick_by_key(view.upstream, view.claim.sid, view.avoid);
  } else if (store_.available()) {
    home.replica = placement_.pick(view.upstream, view.avoid);
  } else {
    home.replica = Placement::pick_by_key(view.upstream, home.client, view.avoid);
  }
  if (!home.replica) return home;
  home.outcome = AffinityOutcome::fresh;
  home.binding = {home.replica->id, 1};
  home.set_cookie = true;
  return home;
}

// A client that has no cookie yet is given one that names the sid's replica, so that it stays
// there.
Home SessionDirectory::sid_home(const View& view, const Replica& replica, uint64_t epoch) const {
  const bool known = view.claim.cookie.has_value();
  return {.replica = &replica,
          .outcome = AffinityOutcome::sid,
          .client = known ? view.claim.cookie->client : AffinityCookies::new_client_id(),
          .binding = {replica.id, known ? epoch : 1},
          .set_cookie = !known};
}

Home SessionDirectory::client_home(const View& view, const Choice& choice) {
  const CookieContent& cookie = *view.claim.cookie;
  if (BindingCache::Entry* known = cache_.find(client_key(cookie.client))) {
    cache_.count_in(*known, choice.replica->status.get());
    known->absences = choice.replica->status->absences();
  }
  const bool stays = view.cookies.names(cookie, choice.replica->id);
  return {.replica = choice.replica,
          .outcome = stays ? AffinityOutcome::cookie : AffinityOutcome::rebound,
          .client = cookie.client,
          .binding = choice.binding,
          .set_cookie = !stays || cookie.renew || cookie.epoch != choice.binding.epoch};
}

void SessionDirectory::ask(Lookup& asker, const std::string& key, const Binding* proposal,
                           Duration ttl) {
  const auto [place, first] = questions_.try_emplace(key);
  Question& question = place->second;
  question.askers.push_back(&asker);
  asker.waits_for(question);
  if (!first) return;
  ++counters_.store_calls;
  if (!proposal) {
    question.answer = store_.find(key, [this, key](Answered found) { answered(key, found); });
    return;
  }
  question.answer = store_.claim(key, *proposal, ttl, [this, key](Result<Binding> winner) {
    answered(key, winner ? Answered(std::move(*winner)) : Answered(winner.error()));
  });
}

void SessionDirectory::answered(const std::string& key, const Answered& answer) {
  remember(key, answer);
  // Taken out first: whoever is answered may ask the next question about the same key.
  auto question = questions_.extract(key);
  if (question.empty()) return;
  std::list<Lookup*>& askers = question.mapped().askers;
  while (!askers.empty()) {
    Lookup* const asker = askers.front();
    askers.pop_front();
    asker->resume(answer);
  }
}

// The store's word for what is known here: it holds this very binding, or nothing, and epoch 1
// needs no record.
bool SessionDirectory::confirms(const Answered& answer, const View& view, const Binding& known) {
  if (*answer) return **answer == known;
  if (known.epoch > 1) return false;
  cache_.put(client_key(view.claim.cookie->client), known, clock_.now());
  return true;
}

// An announcement of a later move may have overtaken the answer.
void SessionDirectory::remember(const std::string& key, const Answered& answer) {
  if (!answer) {
    ++counters_.store_failures;
  } else if (*answer) {
    const BindingCache::Entry* known = cache_.find(key);
    if (!known || known->binding.epoch <= (*answer)->epoch) cache_.put(key, **answer, clock_.now());
  }
}

}  // namespace usher::routing
