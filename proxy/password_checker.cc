#include "proxy/password_checker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/random.h"
#include "base/thread.h"
#include "tls/password_hash.h"

namespace usher::proxy {
namespace {

// Whoever guesses passwords takes the time that the workers leave.
constexpr int niceness = 10;

// None of the three has a NUL octet.
std::string text_of(const PasswordFile::Found& kept, const protocol::BasicCredentials& given) {
  std::string text = kept.hash;
  text.append(1, '\0').append(given.name).append(1, '\0').append(given.password);
  return text;
}

}  // namespace

// A request that waits for its verdict.
class PasswordChecker::Asked final : public PendingAnswer {
 public:
  Asked(PasswordChecker& checker, const Key& key, std::string_view network,
        PasswordFailures::Guess guess, Answer answer)
      : checker_(checker),
        key_(key),
        network_(network),
        guess_(guess),
        answer_(std::move(answer)) {}

  void note_failure() const { checker_.note_failure(network_, guess_); }
  Answer take() {
    finished();
    return std::move(answer_);
  }

 private:
  void cancel() noexcept override { checker_.withdraw(key_, *this); }

  PasswordChecker& checker_;
  const Key key_;
  const std::string network_;
  const PasswordFailures::Guess guess_;
  Answer answer_;
};

size_t PasswordChecker::KeyHash::operator()(const Key& key) const {
  size_t hash = 0;
  std::memcpy(&hash, key.data(), sizeof hash);
  return hash;
}

PasswordChecker::PasswordChecker(net::Loop& loop, PasswordFailures& failures)
    : loop_(loop), failures_(failures), mac_(tls::make_hmac_sha256(random_bytes<32>())) {}

PasswordChecker::~PasswordChecker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

PasswordChecker::Key PasswordChecker::key_of(const PasswordFile::Found& kept,
                                             const protocol::BasicCredentials& given) const {
  return mac_(text_of(kept, given));
}

PasswordFailures::Guess PasswordChecker::guess_of(const PasswordFile::Found& kept,
                                                  const protocol::BasicCredentials& given) const {
  return failures_.guess_of(text_of(kept, given));
}

PasswordFailures::Standing PasswordChecker::standing(const PasswordFile& file,
                                                     const protocol::BasicCredentials& given,
                                                     std::string_view network) const {
  if (network.empty()) return {};
  return failures_.look(network, guess_of(file.find(given.name), given), loop_.now());
}

bool PasswordChecker::remembers(const PasswordFile& file, const protocol::BasicCredentials& given) {
  const PasswordFile::Found kept = file.find(given.name);
  if (!kept.known || given.password.size() > tls::longest_password) return false;
  const auto found = remembered_.find(key_of(kept, given));
  return found != remembered_.end() && loop_.now() < found->second;
}

Pending PasswordChecker::check(const PasswordFile& file, const protocol::BasicCredentials& given,
                               std::string_view network, Answer answer) {
  const PasswordFile::Found kept = file.find(given.name);
  const Key key = key_of(kept, given);
  const PasswordFailures::Guess guess = guess_of(kept, given);
  auto asked = std::make_unique<Asked>(*this, key, network, guess, std::move(answer));
  Asked& mine = *asked;
  const auto [entry, fresh] = checks_.try_emplace(key);
  entry->second.push_back(std::move(asked));
  if (!fresh) return Pending(mine);
  const uint32_t failures = failures_.look(network, guess, loop_.now()).failures;
  if (!enqueue(
          {key, kept.hash, given.password, kept.known, loop_.now(), std::string(network), guess},
          failures)) {
    refuse(key);
    return Pending(mine);
  }
  wake_.notify_one();
  if (!thread_.joinable()) thread_ = start_thread([this] { run(); });
  return Pending(mine);
}

void PasswordChecker::note_failure(std::string_view network, PasswordFailures::Guess guess) {
  if (!network.empty()) failures_.failed(network, guess, loop_.now());
}

void PasswordChecker::refuse(const Key& key) {
  loop_.later([this, key] { deliver(key, Verdict::busy); });
}

// False: too many of this network wait, or of all and nobody has more than it.
bool PasswordChecker::enqueue(Job job, uint32_t failures) {
  const bool failed = failures > 0;
  // A network whose wait is over has one guess, and waits again.
  const size_t most = failures > PasswordFailures::forgiven ? 1 : most_of_one;
  const auto is_its_own = [&job](const Line& each) { return each.network == job.network; };
  const std::lock_guard lock(mutex_);
  auto line = std::find_if(lines_.begin(), lines_.end(), is_its_own);
  const size_t length = line == lines_.end() ? 0 : line->jobs.size();
  if (length >= most) return false;
  if (line != lines_.end()) line->failed = failed;
  // No line goes that weighs as much as this one: so its own one stays.
  if (waiting_ >= most_waiting && !make_room(length + 1 + (failed ? most_of_one : 0))) return false;
  if (line == lines_.end()) line = lines_.insert(lines_.end(), {job.network, failed, {}});
  line->jobs.push_back(std::move(job));
  ++waiting_;
  return true;
}

// Drops a check of the network that deserves its places least, since it has failed or has many.
// False: no network weighs more `than` that.
bool PasswordChecker::make_room(size_t than) {
  const auto weight = [](const Line& line) {
    return line.jobs.size() + (line.failed ? most_of_one : 0);
  };
  const auto chosen =
      std::max_element(lines_.begin(), lines_.end(),
                       [&](const Line& a, const Line& b) { return weight(a) < weight(b); });
  if (chosen == lines_.end() || weight(*chosen) <= than) return false;
  refuse(chosen->jobs.back().key);
  chosen->jobs.pop_back();
  --waiting_;
  if (chosen->jobs.empty()) lines_.erase(chosen);
  return true;
}

size_t PasswordChecker::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

// The next one of the network whose turn it is.
PasswordChecker::Job PasswordChecker::take_next() {
  auto line =
      std::find_if(lines_.begin(), lines_.end(), [](const Line& each) { return !each.failed; });
  if (line == lines_.end()) line = lines_.begin();
  Job job = std::move(line->jobs.front());
  line->jobs.pop_front();
  --waiting_;
  if (line->jobs.empty()) {
    lines_.erase(line);
  } else {
    lines_.splice(lines_.end(), lines_, line);
  }
  return job;
}

// An answer may end other requests, and bring new ones.
void PasswordChecker::deliver(const Key& key, Verdict verdict) {
  const auto entry = checks_.find(key);
  if (entry == checks_.end()) return;
  answering_ = std::move(entry->second);
  checks_.erase(entry);
  if (verdict == Verdict::right) remember(key);
  while (!answering_.empty()) {
    const std::unique_ptr<Asked> next = std::move(answering_.back());
    answering_.pop_back();
    if (verdict == Verdict::wrong) next->note_failure();
    const Answer answer = next->take();
    answer(verdict);
  }
}

// What nobody waits for any more need not be checked.
void PasswordChecker::withdraw(const Key& key, const Asked& asked) noexcept {
  const auto drop = [&asked](Askers& askers) {
    std::erase_if(askers, [&asked](const auto& each) { return each.get() == &asked; });
  };
  const auto entry = checks_.find(key);
  if (entry == checks_.end()) return drop(answering_);
  const Key mine = key;
  drop(entry->second);
  if (!entry->second.empty()) return;
  const std::lock_guard lock(mutex_);
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    if (std::erase_if(line->jobs, [&mine](const Job& each) { return each.key == mine; }) == 0) {
      continue;
    }
    --waiting_;
    if (line->jobs.empty()) lines_.erase(line);
    checks_.erase(entry);
    return;
  }
  // It is under way: its verdict finds no asker.
}

void PasswordChecker::remember(const Key& key) {
  const MonotonicTime now = loop_.now();
  while (!in_order_.empty()) {
    const auto oldest = remembered_.find(in_order_.front());
    if (remembered_.size() < most_remembered && now < oldest->second) break;
    remembered_.erase(oldest);
    in_order_.pop_front();
  }
  if (remembered_.emplace(key, now + remembered_for).second) in_order_.push_back(key);
}

PasswordChecker::Verdict PasswordChecker::verdict_on(const Job& job, MonotonicTime now) {
  if (now - job.asked > longest_wait) return Verdict::busy;
  const bool matches = tls::matches(job.hash, job.password);
  return matches && job.known ? Verdict::right : Verdict::wrong;
}

void PasswordChecker::run() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !lines_.empty(); });
    if (stopping_) return;
    const Job job = take_next();
    lock.unlock();
    const Verdict verdict = verdict_on(job, loop_.now());
    // A guess counts also when its client has not waited for the verdict.
    loop_.post([this, key = job.key, network = job.network, guess = job.guess, verdict] {
      if (verdict == Verdict::wrong) note_failure(network, guess);
      deliver(key, verdict);
    });
    lock.lock();
  }
}

}  // namespace usher::proxy
