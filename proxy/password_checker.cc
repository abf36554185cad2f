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

}  // namespace

// A request that waits for its verdict.
class PasswordChecker::Asked final : public PendingAnswer {
 public:
  Asked(PasswordChecker& checker, const Key& key, Answer answer)
      : checker_(checker), key_(key), answer_(std::move(answer)) {}

  Answer take() {
    finished();
    return std::move(answer_);
  }

 private:
  void cancel() noexcept override { checker_.withdraw(key_, *this); }

  PasswordChecker& checker_;
  const Key key_;
  Answer answer_;
};

size_t PasswordChecker::KeyHash::operator()(const Key& key) const {
  size_t hash = 0;
  std::memcpy(&hash, key.data(), sizeof hash);
  return hash;
}

PasswordChecker::PasswordChecker(net::Loop& loop)
    : loop_(loop), mac_(tls::make_hmac_sha256(random_bytes<32>())) {}

PasswordChecker::~PasswordChecker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

// None of the three has a NUL octet.
PasswordChecker::Key PasswordChecker::key_of(const PasswordFile::Found& kept,
                                             const protocol::BasicCredentials& given) const {
  std::string text = kept.hash;
  text.append(1, '\0').append(given.name).append(1, '\0').append(given.password);
  return mac_(text);
}

bool PasswordChecker::remembers(const PasswordFile& file, const protocol::BasicCredentials& given) {
  const PasswordFile::Found kept = file.find(given.name);
  if (!kept.known || given.password.size() > tls::longest_password) return false;
  const auto found = remembered_.find(key_of(kept, given));
  return found != remembered_.end() && loop_.now() < found->second;
}

Pending PasswordChecker::check(const PasswordFile& file, const protocol::BasicCredentials& given,
                               Answer answer) {
  const PasswordFile::Found kept = file.find(given.name);
  const Key key = key_of(kept, given);
  auto asked = std::make_unique<Asked>(*this, key, std::move(answer));
  Asked& mine = *asked;
  const auto [entry, fresh] = checks_.try_emplace(key);
  entry->second.push_back(std::move(asked));
  if (!fresh) return Pending(mine);
  if (checks_.size() > most_waiting) {
    loop_.later([this, key] { deliver(key, Verdict::busy); });
    return Pending(mine);
  }
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({key, kept.hash, given.password, kept.known, loop_.now()});
  }
  wake_.notify_one();
  if (!thread_.joinable()) thread_ = start_thread([this] { run(); });
  return Pending(mine);
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
  const auto job = std::find_if(jobs_.begin(), jobs_.end(),
                                [&mine](const Job& each) { return each.key == mine; });
  if (job == jobs_.end()) return;  // under way: its verdict finds no asker
  jobs_.erase(job);
  checks_.erase(entry);
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
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    const Verdict verdict = verdict_on(job, loop_.now());
    loop_.post([this, key = job.key, verdict] { deliver(key, verdict); });
    lock.lock();
  }
}

}  // namespace usher::proxy
