// A Redis Cluster: a RedisClient for each master, and each command to the one that has its key.
//
// The map of slots is asked for at the start, when a member says that a slot has moved (MOVED) or
// that the cluster is down, when a master is lost, and until all is well again. A master that is
// away makes its own keys unavailable, and no others, until a replica has taken its place.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/timer.h"
#include "routing/redis/cluster_slots.h"
#include "routing/redis/inquiry.h"
#include "routing/redis/redis_client.h"

namespace usher::routing::redis {

class ClusterClient final : public Redis {
 public:
  // settings.url names members; who is a master, they say. What access refers to, and the watcher,
  // outlive the client. It is not to be destroyed from inside an answer.
  ClusterClient(const Access& access, Watcher& watcher);
  ~ClusterClient() override;
  ClusterClient(const ClusterClient&) = delete;
  ClusterClient& operator=(const ClusterClient&) = delete;

  Pending call(std::string_view key, std::initializer_list<std::string_view> words,
               Answered answered) override;
  // Some of the keys can be asked for.
  bool available() const override;

 private:
  enum class Health : uint8_t { unknown, up, down };
  class Member;   // a master, and its client
  class Request;  // one call, wherever it is sent

  // Requests.
  void dispatch(Request& request);
  void send(Request& request, Member& member, bool asking);
  void on_answer(Request& request, Result<Reply> result);
  bool redirect(Request& request, const Error& refusal);
  void fail_soon(Request& request, Error why);
  void finish(Request& request, Result<Reply> result);
  void on_soon();
  void on_waiting();

  // Members.
  Member& member_at(const conf::Endpoint& master);
  void on_member(Member& member);
  void judge();
  void move_to(Health health, const Error& why);

  // The map.
  void refresh_soon();
  void refresh();
  void adopt(SlotMap map);
  void sweep();

  const Access access_;
  Watcher& watcher_;
  Health health_ = Health::unknown;
  SlotMap map_;
  bool mapped_ = false;
  // Before the members, which they outlive: a request's Pending is a member's.
  std::unordered_map<std::string, std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<Member>> leaving_;  // no master any more; finish what they were sent
  std::list<Request> requests_;
  Inquiry inquiry_;
  Pending inquiring_;
  MonotonicTime refreshed_at_ = MonotonicTime::min();
  net::Timer<&ClusterClient::on_soon> soon_{access_.loop, *this};
  net::Timer<&ClusterClient::on_waiting> waiting_{access_.loop, *this};
  net::Timer<&ClusterClient::refresh> refresh_{access_.loop, *this};
  net::Timer<&ClusterClient::sweep> sweep_{access_.loop, *this};
};

}  // namespace usher::routing::redis
