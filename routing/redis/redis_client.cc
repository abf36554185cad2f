#include "routing/redis/redis_client.h"

#include <algorithm>
#include <array>
#include <optional>

namespace usher::routing::redis {
namespace {

using namespace std::chrono_literals;

constexpr size_t most_outstanding = 10'000;
constexpr Duration least_stall = 2s;   // silence after an overdue command, before we hang up
constexpr Duration ailing_probe = 1s;  // how often a server that cannot serve is asked again
// And one that is well, whatever it is asked meanwhile: most calls only read, and a server that has
// become read-only answers those.
constexpr Duration usual_probe = 30s;

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

enum class Purpose : uint8_t { call, asking, probe };

}  // namespace

struct RedisClient::Command final : PendingAnswer {
  void cancel() noexcept override { answered = nullptr; }
  using PendingAnswer::finished;

  Purpose purpose = Purpose::call;
  std::string bytes;
  Answered answered;  // empty: nobody waits (any more)
  MonotonicTime sent_at;
  MonotonicTime deadline;
  bool sent_twice = false;
};

void Redis::Watcher::on_store_call(const Error*, std::optional<std::chrono::microseconds>) {}

RedisClient::RedisClient(const Access& access, Watcher& watcher)
    : RedisClient(access, make_finder(access), Role::alone, watcher) {}

RedisClient::RedisClient(const Access& access, std::unique_ptr<ServerFinder> finder, Role role,
                         Watcher& watcher)
    : loop_(access.loop),
      timeout_(access.settings.timeout),
      stall_time_(std::max(least_stall, 4 * access.settings.timeout)),
      role_(role),
      watcher_(watcher),
      // A write that changes nothing: unlike PING it is refused by a read-only replica.
      probe_(format_command(
          std::array<std::string_view, 3>{"PEXPIRE", access.settings.prefix + ":probe", "1"})),
      connection_(access.loop, std::move(finder), access.make_transport,
                  greeting(access.settings.url), *this) {
  connection_.connect();
}

RedisClient::~RedisClient() = default;

// --- Connection::Owner
// ---------------------------------------------------------------------------------

void RedisClient::on_connected() {
  sent_.clear();  // at most the probe of a server that was reached before this one
  overdue_ = 0;
  stall_.stop();
  send_probe();
}

void RedisClient::on_lost(const Error& why, bool was_settled) {
  const bool sent_twice = std::any_of(sent_.begin(), sent_.end(),
                                      [](const auto& command) { return command->sent_twice; });
  const bool nothing_answered = sent_.empty() || connection_.heard() == heard_before_;
  const bool closed_while_idle = was_settled && available() && nothing_answered && !sent_twice;
  stall_.stop();
  probe_time_.stop();
  overdue_ = 0;
  ailing_ = false;
  Commands unanswered = std::exchange(sent_, {});
  if (closed_while_idle) {
    for (auto& command : unanswered) {
      if (!command->answered) continue;
      command->sent_twice = true;
      unsent_.push_back(std::move(command));
    }
    watch_deadlines();
    return connection_.connect();
  }
  set_down(why);
  const Error down{Errc::store_down, Side::store, why.detail};
  for (auto& command : unanswered)
    fail_soon(std::move(command), down);
  watch_deadlines();
  connection_.connect_later();
}

void RedisClient::on_reply(Reply reply) {
  if (sent_.empty()) {
    return connection_.give_up({Errc::store_error, Side::store, "an answer to no command"});
  }
  const std::unique_ptr<Command> command = std::move(sent_.front());
  sent_.pop_front();
  std::optional<Error> refused;
  if (reply.kind == Reply::Kind::refusal) {
    refused = Error{Errc::store_error, Side::store, std::move(reply.text)};
  }
  if (overdue_ > 0) {
    stall_.start(stall_time_);
    if (--overdue_ == 0) {
      stall_.stop();
      recover();
    }
  }
  switch (command->purpose) {
    case Purpose::probe: return on_probed(refused ? &*refused : nullptr);
    case Purpose::asking: return;
    case Purpose::call: break;
  }
  if (refused) {
    const Ailment ailment = ailment_of(refused->detail);
    if (ailment != Ailment::none) ail(ailment, *refused);
    return deliver(*command, std::move(*refused));
  }
  deliver(*command, std::move(reply));
}

// --- Commands and their answers
// --------------------------------------------------------------------

Pending RedisClient::call(std::string_view, std::initializer_list<std::string_view> words,
                          Answered answered) {
  return send(format_command({words.begin(), words.size()}), false, std::move(answered));
}

Pending RedisClient::send(std::string bytes, bool asking, Answered answered) {
  auto command = std::make_unique<Command>();
  command->bytes = std::move(bytes);
  command->answered = std::move(answered);
  command->deadline = loop_.now() + timeout_;
  Pending pending(*command);
  if (!available()) {
    fail_soon(std::move(command), {Errc::store_down, Side::store, "the store is down"});
  } else if (sent_.size() + unsent_.size() >= most_outstanding) {
    fail_soon(std::move(command), {Errc::store_down, Side::store, "too many commands wait"});
  } else if (!connection_.vouched()) {
    unsent_.push_back(std::move(command));
    watch_deadlines();
  } else {
    if (asking) {
      auto prelude = std::make_unique<Command>();
      prelude->purpose = Purpose::asking;
      prelude->bytes = format_command(std::array<std::string_view, 1>{"ASKING"});
      prelude->deadline = command->deadline;
      put_on_the_wire(std::move(prelude));
    }
    put_on_the_wire(std::move(command));
  }
  return pending;
}

void RedisClient::put_on_the_wire(std::unique_ptr<Command> command) {
  if (sent_.empty()) heard_before_ = connection_.heard();
  command->sent_at = loop_.now();
  connection_.write(command->bytes);
  sent_.push_back(std::move(command));
  watch_deadlines();
}

void RedisClient::send_probe() {
  auto command = std::make_unique<Command>();
  command->purpose = Purpose::probe;
  command->bytes = probe_;
  command->deadline = loop_.now() + timeout_;
  put_on_the_wire(std::move(command));
}

void RedisClient::on_probed(const Error* refused) {
  if (refused && !serves(refused->detail)) {
    if (ailment_of(refused->detail) != Ailment::passing) return connection_.give_up(*refused);
    connection_.vouch();
    return ail(Ailment::passing, *refused);
  }
  connection_.vouch();
  ailing_ = false;
  probe_time_.start(usual_probe);
  recover();
}

// A server that refuses writes for a while still answers for itself, and a member of a cluster for
// its own keys, of which the probe's need not be one.
bool RedisClient::serves(std::string_view refusal) const {
  const std::string_view word = first_word(refusal);
  if (role_ == Role::member && is_one_of(word, {"MOVED", "ASK", "TRYAGAIN"})) return true;
  return is_one_of(word, {"OOM", "MISCONF", "NOREPLICAS", "BUSY"});
}

RedisClient::Ailment RedisClient::ailment_of(std::string_view refusal) {
  const std::string_view word = first_word(refusal);
  if (is_one_of(word, {"LOADING", "MASTERDOWN", "CLUSTERDOWN"})) return Ailment::passing;
  if (is_one_of(word, {"READONLY", "NOAUTH"})) return Ailment::elsewhere;
  // Before Redis 7 a script wraps it: "ERR Error running script …: -READONLY You can't write …".
  if (refusal.find(" -READONLY ") != std::string_view::npos) return Ailment::elsewhere;
  return Ailment::none;
}

void RedisClient::deliver(Command& command, Result<Reply> result) {
  if (!command.answered) return;
  const bool came = result.ok() || result.error().code == Errc::store_error;
  std::optional<std::chrono::microseconds> round_trip;
  if (came) {
    round_trip =
        std::chrono::duration_cast<std::chrono::microseconds>(loop_.now() - command.sent_at);
  }
  watcher_.on_store_call(result ? nullptr : &result.error(), round_trip);
  const Answered answered = std::exchange(command.answered, nullptr);
  command.finished();
  answered(std::move(result));
}

void RedisClient::fail_soon(std::unique_ptr<Command> command, const Error& why) {
  if (!command->answered) return;
  failed_.emplace_back(std::move(command), why);
  soon_.start(0ms);
}

void RedisClient::on_soon() {
  for (auto& [command, why] : std::exchange(failed_, {}))
    deliver(*command, std::move(why));
}

void RedisClient::watch_deadlines() {
  MonotonicTime next = MonotonicTime::max();
  if (overdue_ < sent_.size()) next = sent_[overdue_]->deadline;
  if (!unsent_.empty()) next = std::min(next, unsent_.front()->deadline);
  if (next == MonotonicTime::max()) return deadline_.stop();
  deadline_.start(std::max(Duration(0), std::chrono::ceil<Duration>(next - loop_.now())));
}

// All commands have the same time, so deadlines pass in the order of the queues.
void RedisClient::on_deadline() {
  const MonotonicTime now = loop_.now();
  const Error late{Errc::store_timeout, Side::store, "no answer in time"};
  const size_t known_overdue = overdue_;
  while (overdue_ < sent_.size() && sent_[overdue_]->deadline <= now)
    ++overdue_;
  Commands expired;
  while (!unsent_.empty() && unsent_.front()->deadline <= now) {
    expired.push_back(std::move(unsent_.front()));
    unsent_.pop_front();
  }
  if (overdue_ > known_overdue || !expired.empty()) set_down(late);
  if (overdue_ > 0 && !stall_.running()) stall_.start(stall_time_);
  // What was sent keeps its place, so that its reply finds it. Nothing that is called here can move
  // it: new calls are refused while the store is down.
  for (size_t at = known_overdue; at < overdue_; ++at)
    deliver(*sent_[at], late);
  for (auto& command : expired)
    deliver(*command, late);
  watch_deadlines();
}

void RedisClient::on_stall() {
  connection_.give_up({Errc::store_timeout, Side::store, "the server went silent"});
}

void RedisClient::on_probe_time() {
  if (connection_.vouched()) send_probe();
}

// --- State
// -----------------------------------------------------------------------------------------

void RedisClient::ail(Ailment ailment, const Error& why) {
  ailing_ = true;
  set_down(why);
  probe_time_.start(ailment == Ailment::passing ? ailing_probe : 0ms);
}

void RedisClient::recover() {
  if (!connection_.vouched() || ailing_ || overdue_ > 0) return;
  for (auto& command : std::exchange(unsent_, {}))
    put_on_the_wire(std::move(command));
  if (health_ == Health::up) return;
  health_ = Health::up;
  watcher_.on_store_up();
}

void RedisClient::set_down(const Error& why) {
  const Error down{Errc::store_down, Side::store, why.detail};
  for (auto& command : std::exchange(unsent_, {}))
    fail_soon(std::move(command), down);
  if (health_ == Health::down) return;
  health_ = Health::down;
  watcher_.on_store_down(why);
}

}  // namespace usher::routing::redis
