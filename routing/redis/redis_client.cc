#include "routing/redis/redis_client.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>
#include <vector>

#include "base/random.h"
#include "net/stream.h"
#include "net/timer.h"
#include "routing/redis/resp.h"

namespace usher::routing::redis {
namespace {

using namespace std::chrono_literals;

constexpr size_t most_outstanding = 10'000;
constexpr Duration opening_time = 2s;  // to connect, and to be greeted
constexpr Duration least_stall = 2s;   // silence after an overdue command, before we hang up
constexpr Duration ailing_probe = 1s;  // how often a server that cannot serve is asked again
constexpr Duration idle_probe = 30s;   // and one that has nothing to do
constexpr Duration least_rest = 50ms;  // between two rounds of attempts, doubling
constexpr Duration most_rest = 2s;
constexpr Duration settled = 1s;  // a connection that lived for less is no ground for haste

// What a refusal says of the server.
enum class Ailment : uint8_t {
  none,       // this command was refused; the next one may not be
  passing,    // it cannot serve yet: ask again over the same connection
  elsewhere,  // it will not serve us: connect anew, where a failover may have moved the name
};

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

Ailment ailment_of(std::string_view refusal) {
  const std::string_view word = first_word(refusal);
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (is_one_of({"LOADING", "MASTERDOWN", "CLUSTERDOWN"})) return Ailment::passing;
  if (is_one_of({"READONLY", "NOAUTH"})) return Ailment::elsewhere;
  // Before Redis 7 a script wraps it: "ERR Error running script …: -READONLY You can't write …".
  if (refusal.find(" -READONLY ") != std::string_view::npos) return Ailment::elsewhere;
  return Ailment::none;
}

// A server that refuses writes for a while still answers for itself.
bool still_serves(std::string_view refusal) {
  constexpr std::array<std::string_view, 4> words{"OOM", "MISCONF", "NOREPLICAS", "BUSY"};
  return std::find(words.begin(), words.end(), first_word(refusal)) != words.end();
}

enum class Purpose : uint8_t { call, greeting, probe };

struct Command final : PendingAnswer {
  void cancel() noexcept override { answered = nullptr; }
  using PendingAnswer::finished;

  Purpose purpose = Purpose::call;
  std::string bytes;
  RedisClient::Answered answered;  // empty: nobody waits (any more)
  MonotonicTime sent_at;
  MonotonicTime deadline;
  bool sent_twice = false;
};
using Commands = std::deque<std::unique_ptr<Command>>;

}  // namespace

void RedisClient::Watcher::on_store_call(const Error*, std::optional<std::chrono::microseconds>) {}

class RedisClient::Impl final : public net::StreamHandler {
 public:
  Impl(net::Loop& loop, std::unique_ptr<ServerFinder> finder, MakeTransport make_transport,
       const conf::StoreSettings& settings, Watcher& watcher)
      : loop_(loop),
        finder_(std::move(finder)),
        make_transport_(std::move(make_transport)),
        timeout_(settings.timeout),
        stall_time_(std::max(least_stall, 4 * settings.timeout)),
        watcher_(watcher),
        probe_key_(settings.prefix + ":probe") {
    const conf::StoreUrl& url = settings.url;
    if (!url.user.empty()) {
      greeting_.push_back({"AUTH", url.user, url.password});
    } else if (!url.password.empty()) {
      greeting_.push_back({"AUTH", url.password});
    }
    if (url.database != 0) greeting_.push_back({"SELECT", std::to_string(url.database)});
    look_for_server();
  }
  ~Impl() { drop_stream(); }

  bool available() const { return health_ == Health::up; }
  Pending call(std::initializer_list<std::string_view> words, Answered answered);

 private:
  enum class Link : uint8_t { none, connecting, greeting, open };
  enum class Health : uint8_t { unknown, up, down };

  // Connecting.
  void look_for_server();
  void connect_next();
  void greet();
  void opened();
  void drop_stream();
  void lost(const Error& why);
  void rest();

  // Commands and their answers.
  void send(std::unique_ptr<Command> command);
  void send_words(Purpose purpose, std::vector<std::string_view> words);
  void send_probe();
  void on_reply(Reply reply);
  void on_probed(const Error* refused);
  void deliver(Command& command, Result<Reply> result);
  void fail_soon(std::unique_ptr<Command> command, const Error& why);
  void watch_deadlines();

  // State.
  void ail(Ailment ailment, const Error& why);
  void recover();
  void set_down(const Error& why);

  // Timers.
  void on_opening_time();
  void on_deadline();
  void on_stall() { lost({Errc::store_timeout, Side::store, "the server went silent"}); }
  void on_probe_time();
  void on_soon();

  // StreamHandler
  void on_stream_open() override { greet(); }
  size_t on_stream_data(std::span<const char> data) override;
  void on_stream_end() override {
    lost({Errc::store_down, Side::store, "the server closed the connection"});
  }
  void on_stream_writable() override {}
  void on_stream_error(Error error) override {
    lost({Errc::store_down, Side::store, to_string(error)});
  }

  net::Loop& loop_;
  std::unique_ptr<ServerFinder> finder_;
  MakeTransport make_transport_;
  const Duration timeout_;
  const Duration stall_time_;
  Watcher& watcher_;
  const std::string probe_key_;
  std::vector<std::vector<std::string>> greeting_;

  Health health_ = Health::unknown;
  bool ailing_ = false;  // connected, but it says that it cannot serve

  Link link_ = Link::none;
  Pending finding_;
  std::vector<SocketAddress> addresses_;
  size_t next_address_ = 0;
  std::unique_ptr<net::Stream> stream_;
  std::optional<ReplyReader> reader_;
  MonotonicTime opened_at_;
  Duration rest_time_ = least_rest;
  Jitter jitter_ = make_jitter();

  Commands sent_;    // in the order in which replies come; the first overdue_ of them are overdue
  Commands unsent_;  // wait for a connection that is just being made anew
  size_t overdue_ = 0;
  bool heard_ = false;  // anything since sent_ was last empty
  std::vector<std::pair<std::unique_ptr<Command>, Error>> failed_;

  net::Timer<&Impl::look_for_server> rest_{loop_, *this};
  net::Timer<&Impl::on_opening_time> opening_{loop_, *this};
  net::Timer<&Impl::on_deadline> deadline_{loop_, *this};
  net::Timer<&Impl::on_stall> stall_{loop_, *this};
  net::Timer<&Impl::on_probe_time> probe_{loop_, *this};
  net::Timer<&Impl::on_soon> soon_{loop_, *this};
};

// --- Connecting
// ------------------------------------------------------------------------------------

void RedisClient::Impl::look_for_server() {
  link_ = Link::connecting;
  addresses_.clear();
  next_address_ = 0;
  // No deadline: a name server that is away must not make a queue of questions at the resolver.
  finding_ = finder_->find([this](Result<std::vector<SocketAddress>> found) {
    if (!found) return lost({Errc::store_down, Side::store, found.error().detail});
    if (found->empty()) return lost({Errc::store_down, Side::store, "its name has no address"});
    addresses_ = std::move(*found);
    connect_next();
  });
}

void RedisClient::Impl::connect_next() {
  link_ = Link::connecting;
  reader_.emplace();
  opening_.start(opening_time);
  stream_ = std::make_unique<net::Stream>(loop_, addresses_[next_address_++], make_transport_(),
                                          *this, Side::store);
  stream_->start();
}

void RedisClient::Impl::greet() {
  link_ = Link::greeting;
  for (const std::vector<std::string>& words : greeting_) {
    send_words(Purpose::greeting, {words.begin(), words.end()});
  }
  send_probe();
}

void RedisClient::Impl::opened() {
  link_ = Link::open;
  opened_at_ = loop_.now();
  opening_.stop();
}

void RedisClient::Impl::drop_stream() {
  opening_.stop();
  stall_.stop();
  probe_.stop();
  finding_.reset();
  overdue_ = 0;
  ailing_ = false;
  link_ = Link::none;
  reader_.reset();
  if (!stream_) return;
  stream_->close();
  loop_.bury(std::move(stream_));
}

void RedisClient::Impl::lost(const Error& why) {
  const bool more_addresses = link_ == Link::connecting && next_address_ < addresses_.size();
  const bool was_settled = link_ == Link::open && loop_.now() - opened_at_ >= settled;
  const bool sent_twice = std::any_of(sent_.begin(), sent_.end(),
                                      [](const auto& command) { return command->sent_twice; });
  const bool closed_while_idle =
      was_settled && available() && (sent_.empty() || !heard_) && !sent_twice;
  drop_stream();
  Commands unanswered = std::exchange(sent_, {});
  if (was_settled) rest_time_ = least_rest;
  if (closed_while_idle) {
    for (auto& command : unanswered) {
      if (!command->answered) continue;
      command->sent_twice = true;
      unsent_.push_back(std::move(command));
    }
    watch_deadlines();
    return look_for_server();
  }
  if (more_addresses) return connect_next();

  set_down(why);
  const Error down{Errc::store_down, Side::store, why.detail};
  for (auto& command : unanswered)
    fail_soon(std::move(command), down);
  rest();
}

void RedisClient::Impl::rest() {
  const auto most = rest_time_.count();
  rest_.start(Duration(std::uniform_int_distribution<Duration::rep>(most / 2, most)(jitter_)));
  rest_time_ = std::min(2 * rest_time_, most_rest);
}

void RedisClient::Impl::on_opening_time() {
  lost({Errc::store_timeout, Side::store, "no connection within 2 s"});
}

// --- Commands and their answers
// --------------------------------------------------------------------

Pending RedisClient::Impl::call(std::initializer_list<std::string_view> words, Answered answered) {
  auto command = std::make_unique<Command>();
  command->bytes = format_command({words.begin(), words.size()});
  command->answered = std::move(answered);
  command->deadline = loop_.now() + timeout_;
  Pending pending(*command);
  if (!available()) {
    fail_soon(std::move(command), {Errc::store_down, Side::store, "the store is down"});
  } else if (sent_.size() + unsent_.size() >= most_outstanding) {
    fail_soon(std::move(command), {Errc::store_down, Side::store, "too many commands wait"});
  } else if (link_ == Link::open) {
    send(std::move(command));
  } else {
    unsent_.push_back(std::move(command));
    watch_deadlines();
  }
  return pending;
}

void RedisClient::Impl::send(std::unique_ptr<Command> command) {
  if (sent_.empty()) heard_ = false;
  command->sent_at = loop_.now();
  stream_->write(command->bytes);
  sent_.push_back(std::move(command));
  watch_deadlines();
}

void RedisClient::Impl::send_words(Purpose purpose, std::vector<std::string_view> words) {
  auto command = std::make_unique<Command>();
  command->purpose = purpose;
  command->bytes = format_command(words);
  command->deadline = loop_.now() + timeout_;
  send(std::move(command));
}

// A write that changes nothing: unlike PING it is refused by a read-only replica.
void RedisClient::Impl::send_probe() { send_words(Purpose::probe, {"PEXPIRE", probe_key_, "1"}); }

size_t RedisClient::Impl::on_stream_data(std::span<const char> data) {
  heard_ = true;
  if (overdue_ > 0) stall_.start(stall_time_);
  reader_->feed(data);
  // An answer may cost the connection, and the reader with it.
  while (reader_) {
    Result<std::optional<Reply>> reply = reader_->next();
    if (!reply) {
      lost(reply.error());
      break;
    }
    if (!*reply) break;
    on_reply(std::move(**reply));
  }
  return data.size();
}

void RedisClient::Impl::on_reply(Reply reply) {
  if (sent_.empty()) return lost({Errc::store_error, Side::store, "an answer to no command"});
  const std::unique_ptr<Command> command = std::move(sent_.front());
  sent_.pop_front();
  std::optional<Error> refused;
  if (reply.kind == Reply::Kind::refusal) {
    refused = Error{Errc::store_error, Side::store, std::move(reply.text)};
  }
  if (overdue_ > 0 && --overdue_ == 0) {
    stall_.stop();
    recover();
  }
  switch (command->purpose) {
    case Purpose::greeting:
      if (refused) lost(*refused);
      return;
    case Purpose::probe: return on_probed(refused ? &*refused : nullptr);
    case Purpose::call: break;
  }
  if (link_ == Link::open && !ailing_) probe_.start(idle_probe);
  if (refused) {
    const Ailment ailment = ailment_of(refused->detail);
    if (ailment != Ailment::none) ail(ailment, *refused);
    return deliver(*command, std::move(*refused));
  }
  deliver(*command, std::move(reply));
}

void RedisClient::Impl::on_probed(const Error* refused) {
  if (refused && !still_serves(refused->detail)) {
    if (ailment_of(refused->detail) != Ailment::passing) return lost(*refused);
    if (link_ == Link::greeting) opened();
    return ail(Ailment::passing, *refused);
  }
  if (link_ == Link::greeting) opened();
  ailing_ = false;
  probe_.start(idle_probe);
  recover();
}

void RedisClient::Impl::deliver(Command& command, Result<Reply> result) {
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

void RedisClient::Impl::fail_soon(std::unique_ptr<Command> command, const Error& why) {
  if (!command->answered) return;
  failed_.emplace_back(std::move(command), why);
  soon_.start(0ms);
}

void RedisClient::Impl::on_soon() {
  for (auto& [command, why] : std::exchange(failed_, {}))
    deliver(*command, std::move(why));
}

void RedisClient::Impl::watch_deadlines() {
  MonotonicTime next = MonotonicTime::max();
  if (overdue_ < sent_.size()) next = sent_[overdue_]->deadline;
  if (!unsent_.empty()) next = std::min(next, unsent_.front()->deadline);
  if (next == MonotonicTime::max()) return deadline_.stop();
  deadline_.start(std::max(Duration(0), std::chrono::ceil<Duration>(next - loop_.now())));
}

// All commands have the same time, so deadlines pass in the order of the queues.
void RedisClient::Impl::on_deadline() {
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

void RedisClient::Impl::on_probe_time() {
  if (link_ == Link::open) send_probe();
}

// --- State
// -----------------------------------------------------------------------------------------

void RedisClient::Impl::ail(Ailment ailment, const Error& why) {
  ailing_ = true;
  set_down(why);
  probe_.start(ailment == Ailment::passing ? ailing_probe : 0ms);
}

void RedisClient::Impl::recover() {
  if (link_ != Link::open || ailing_ || overdue_ > 0) return;
  for (auto& command : std::exchange(unsent_, {}))
    send(std::move(command));
  if (health_ == Health::up) return;
  health_ = Health::up;
  watcher_.on_store_up();
}

void RedisClient::Impl::set_down(const Error& why) {
  const Error down{Errc::store_down, Side::store, why.detail};
  for (auto& command : std::exchange(unsent_, {}))
    fail_soon(std::move(command), down);
  if (health_ == Health::down) return;
  health_ = Health::down;
  watcher_.on_store_down(why);
}

// --- RedisClient
// -----------------------------------------------------------------------------------

RedisClient::RedisClient(net::Loop& loop, net::Resolver& resolver,
                         const conf::StoreSettings& settings, Watcher& watcher)
    : RedisClient(loop, std::make_unique<NamedServer>(loop, resolver, settings.url.server),
                  net::make_plain_transport, settings, watcher) {}

RedisClient::RedisClient(net::Loop& loop, std::unique_ptr<ServerFinder> finder,
                         MakeTransport make_transport, const conf::StoreSettings& settings,
                         Watcher& watcher)
    : impl_(std::make_unique<Impl>(loop, std::move(finder), std::move(make_transport), settings,
                                   watcher)) {}

RedisClient::~RedisClient() = default;

Pending RedisClient::call(std::initializer_list<std::string_view> command, Answered answered) {
  return impl_->call(command, std::move(answered));
}

bool RedisClient::available() const { return impl_->available(); }

}  // namespace usher::routing::redis
