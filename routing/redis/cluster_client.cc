#include "routing/redis/cluster_client.h"

#include <algorithm>
#include <utility>

namespace usher::routing::redis {
namespace {

using namespace std::chrono_literals;

constexpr size_t most_requests = 10'000;
constexpr int most_redirections = 3;
constexpr Duration least_refresh = 100ms;   // between two questions for the map
constexpr Duration ailing_refresh = 500ms;  // while something is wrong
constexpr Duration calm_refresh = 60s;
constexpr size_t most_asked = 64;

Error store_down(std::string why) { return {Errc::store_down, Side::store, std::move(why)}; }

}  // namespace

class ClusterClient::Member final : private Redis::Watcher {
 public:
  Member(ClusterClient& cluster, conf::Endpoint where)
      : cluster_(cluster),
        master(std::move(where)),
        client(cluster.access_,
               std::make_unique<NamedServers>(cluster.access_.loop, cluster.access_.resolver,
                                              std::vector<conf::Endpoint>{master}),
               RedisClient::Role::member, *this) {}

 private:
  void on_store_up() override { cluster_.on_member(*this); }
  void on_store_down(const Error& reason) override {
    why_down = name_of(master) + ": " + reason.detail;
    cluster_.on_member(*this);
  }

  ClusterClient& cluster_;

 public:
  const conf::Endpoint master;
  RedisClient client;
  std::string why_down;
  size_t requests = 0;  // that wait for it, or for its answer
};

class ClusterClient::Request final : public PendingAnswer {
 public:
  Request(ClusterClient& cluster, std::string_view key, std::string command, Answered asker)
      : slot(slot_of(key)),
        bytes(std::move(command)),
        answered(std::move(asker)),
        asked_at(cluster.access_.loop.now()),
        cluster_(cluster) {}
  ~Request() override { leave(); }
  using PendingAnswer::finished;

  void go_to(Member& member) {
    leave();
    at = &member;
    ++member.requests;
  }
  void leave() {
    if (Member* const left = std::exchange(at, nullptr)) --left->requests;
  }

  const uint16_t slot;
  const std::string bytes;
  Answered answered;
  const MonotonicTime asked_at;
  std::list<Request>::iterator place;  // in requests_
  Member* at = nullptr;
  bool waits = false;   // until it is known whether `at` serves
  bool asking = false;  // and then with ASKING
  int redirections = 0;
  Pending sent;
  std::optional<Error> failure;  // to be told in the next turn

 private:
  void cancel() noexcept override { cluster_.requests_.erase(place); }

  ClusterClient& cluster_;
};

ClusterClient::ClusterClient(const Access& access, Watcher& watcher)
    : access_(access),
      watcher_(watcher),
      inquiry_(access, access.settings.url.servers, authentication(access.settings.url), {}) {
  refresh();
}

ClusterClient::~ClusterClient() { requests_.clear(); }

bool ClusterClient::available() const {
  return std::any_of(members_.begin(), members_.end(),
                     [](const auto& entry) { return entry.second->client.available(); });
}

// --- Requests
// --------------------------------------------------------------------------------------

Pending ClusterClient::call(std::string_view key, std::initializer_list<std::string_view> words,
                            Answered answered) {
  Request& request = requests_.emplace_back(
      *this, key, format_command({words.begin(), words.size()}), std::move(answered));
  request.place = std::prev(requests_.end());
  Pending pending(request);
  if (requests_.size() > most_requests) {
    fail_soon(request, store_down("too many commands wait"));
  } else {
    dispatch(request);
  }
  return pending;
}

void ClusterClient::dispatch(Request& request) {
  const conf::Endpoint* master = map_.master_of(request.slot);
  if (!master) return fail_soon(request, store_down("no master has this key's slot"));
  send(request, member_at(*master), false);
}

void ClusterClient::send(Request& request, Member& member, bool asking) {
  request.go_to(member);
  request.asking = asking;
  request.waits = member.client.undecided();
  if (request.waits) {
    if (!waiting_.running()) waiting_.start(access_.settings.timeout);
    return;
  }
  request.sent = member.client.send(request.bytes, asking, [this, &request](Result<Reply> result) {
    on_answer(request, std::move(result));
  });
}

void ClusterClient::on_answer(Request& request, Result<Reply> result) {
  if (!result) {
    const Error& error = result.error();
    if (error.code == Errc::store_error && redirect(request, error)) return;
    if (error.code != Errc::store_error || error.detail.starts_with("CLUSTERDOWN")) refresh_soon();
  }
  finish(request, std::move(result));
}

// True when somebody else is asked.
bool ClusterClient::redirect(Request& request, const Error& refusal) {
  const bool again = refusal.detail.starts_with("TRYAGAIN ");  // its slot is half here, half there
  const auto elsewhere = parse_redirection(refusal.detail, request.at->master.host);
  if (!again && !elsewhere) return false;
  if (!again && !elsewhere->ask) refresh_soon();
  if (++request.redirections > most_redirections) return false;
  if (again) {
    dispatch(request);
    return true;
  }
  if (!elsewhere->ask && !map_.assign(elsewhere->slot, elsewhere->target)) return false;
  send(request, member_at(elsewhere->target), elsewhere->ask);
  return true;
}

void ClusterClient::fail_soon(Request& request, Error why) {
  request.waits = false;
  request.failure = std::move(why);
  soon_.start(0ms);
}

void ClusterClient::on_soon() {
  // Whoever is told may ask, or cancel others: each look begins anew.
  const auto failed = [](const Request& request) { return request.failure.has_value(); };
  for (auto next = std::find_if(requests_.begin(), requests_.end(), failed);
       next != requests_.end(); next = std::find_if(requests_.begin(), requests_.end(), failed)) {
    Error why = std::move(*next->failure);
    finish(*next, std::move(why));
  }
}

void ClusterClient::finish(Request& request, Result<Reply> result) {
  std::optional<std::chrono::microseconds> round_trip;
  if (result || result.error().code == Errc::store_error) {
    round_trip = std::chrono::duration_cast<std::chrono::microseconds>(access_.loop.now() -
                                                                       request.asked_at);
  }
  watcher_.on_store_call(result ? nullptr : &result.error(), round_trip);
  std::list<Request> self;
  self.splice(self.begin(), requests_, request.place);
  request.leave();
  request.finished();
  request.answered(std::move(result));
}

// Those who wait for a member to show itself wait no longer than for an answer.
void ClusterClient::on_waiting() {
  MonotonicTime next = MonotonicTime::max();
  for (Request& request : requests_) {
    if (!request.waits) continue;
    const MonotonicTime deadline = request.asked_at + access_.settings.timeout;
    if (deadline <= access_.loop.now()) {
      fail_soon(request, {Errc::store_timeout, Side::store, "no connection in time"});
    } else {
      next = std::min(next, deadline);
    }
  }
  if (next == MonotonicTime::max()) return;
  waiting_.start(std::chrono::ceil<Duration>(next - access_.loop.now()));
}

// --- Members
// ---------------------------------------------------------------------------------------

ClusterClient::Member& ClusterClient::member_at(const conf::Endpoint& master) {
  std::unique_ptr<Member>& member = members_[name_of(master)];
  if (!member) member = std::make_unique<Member>(*this, master);
  return *member;
}

void ClusterClient::on_member(Member& member) {
  for (Request& request : requests_) {
    if (request.at != &member || !request.waits) continue;
    if (member.client.available()) {
      send(request, member, request.asking);
    } else {
      fail_soon(request, store_down(member.why_down));
    }
  }
  if (!member.client.available()) refresh_soon();
  judge();
}

// Up when every slot has a master that serves; down when one has not.
void ClusterClient::judge() {
  if (!mapped_) return;
  if (!map_.complete()) return move_to(Health::down, store_down("some slots have no master"));
  bool undecided = false;
  for (const auto& [name, member] : members_) {
    undecided = undecided || member->client.undecided();
    if (!member->client.available() && !member->client.undecided()) {
      return move_to(Health::down, store_down(member->why_down));
    }
  }
  if (!undecided) move_to(Health::up, {});
}

void ClusterClient::move_to(Health health, const Error& why) {
  if (std::exchange(health_, health) == health) return;
  health == Health::up ? watcher_.on_store_up() : watcher_.on_store_down(why);
}

// --- The map
// ---------------------------------------------------------------------------------------

void ClusterClient::refresh_soon() {
  if (inquiring_.active()) return;
  const auto since = access_.loop.now() - refreshed_at_;
  const Duration rest =
      since >= least_refresh ? 0ms : std::chrono::ceil<Duration>(least_refresh - since);
  refresh_.start(rest);
}

void ClusterClient::refresh() {
  refreshed_at_ = access_.loop.now();
  // Masters that serve know best, then those that do not, then who was named in the settings.
  std::vector<conf::Endpoint> servers;
  const auto add = [&servers](const conf::Endpoint& server) {
    const bool known = std::find(servers.begin(), servers.end(), server) != servers.end();
    if (!known && servers.size() < most_asked) servers.push_back(server);
  };
  for (const bool serving : {true, false}) {
    for (const auto& [name, member] : members_) {
      if (member->client.available() == serving && (serving || servers.size() < most_asked / 2)) {
        add(member->master);
      }
    }
    if (serving) std::ranges::for_each(access_.settings.url.servers, add);
  }
  inquiry_.use(std::move(servers));
  inquiring_ = inquiry_.ask(
      {"CLUSTER", "SLOTS"},
      [this](const Reply& reply, const std::string& host) -> Outcome {
        auto map = SlotMap::parse(reply, host);
        if (!map) return std::move(map).error();
        adopt(std::move(*map));
        return {};
      },
      [this](const Outcome& outcome) {
        if (!outcome && !mapped_) move_to(Health::down, outcome.error());
        refresh_.start(health_ == Health::up ? calm_refresh : ailing_refresh);
      });
}

void ClusterClient::adopt(SlotMap map) {
  map_ = std::move(map);
  mapped_ = true;
  for (auto entry = members_.begin(); entry != members_.end();) {
    const auto& masters = map_.masters();
    const bool stays =
        std::find(masters.begin(), masters.end(), entry->second->master) != masters.end();
    if (!stays) leaving_.push_back(std::move(entry->second));
    entry = stays ? std::next(entry) : members_.erase(entry);
  }
  for (const conf::Endpoint& master : map_.masters())
    member_at(master);
  if (!leaving_.empty()) sweep_.start(0ms);
  judge();
}

void ClusterClient::sweep() {
  std::erase_if(leaving_, [](const auto& member) { return member->requests == 0; });
  if (!leaving_.empty()) sweep_.start(access_.settings.timeout);
}

}  // namespace usher::routing::redis
