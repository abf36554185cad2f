// Names and passwords of one worker's clients, checked on a thread of its own: a hash may take 300
// ms, and the loop waits for none. What was found right is remembered for a while, as an HMAC under
// a key that nobody else has; so the rest of a page costs nothing.
//
// What is remembered is of the very hash that the file has: with another password in the file, or
// without the name, it is worth nothing.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/pending.h"
#include "net/loop.h"
#include "protocol/basic_credentials.h"
#include "proxy/password_failures.h"
#include "proxy/password_file.h"
#include "tls/digest.h"

namespace usher::proxy {

class PasswordChecker final {
 public:
  enum class Verdict : uint8_t { right, wrong, busy };
  using Answer = std::function<void(Verdict)>;

  static constexpr size_t most_waiting = 256;                         // checks; more are `busy`
  static constexpr size_t most_of_one = 8;                            // of them one network's
  static constexpr Duration longest_wait = std::chrono::seconds(10);  // for a check to begin
  static constexpr size_t most_remembered = 4096;
  static constexpr Duration remembered_for = std::chrono::minutes(5);

  // Belongs to loop's thread and answers there. Destroy it before the loop, when the loop runs no
  // more. `failures` outlives it.
  PasswordChecker(net::Loop& loop, PasswordFailures& failures);
  ~PasswordChecker();
  PasswordChecker(const PasswordChecker&) = delete;
  PasswordChecker& operator=(const PasswordChecker&) = delete;

  // Was this lately found right?
  bool remembers(const PasswordFile& file, const protocol::BasicCredentials& given);
  // What is known of its network, and of this guess. The network is empty where there is none.
  PasswordFailures::Standing standing(const PasswordFile& file,
                                      const protocol::BasicCredentials& given,
                                      std::string_view network) const;
  // Answers in a later turn. Those who ask the same at a time wait for one check. Networks take
  // turns; those that have given no wrong password go first.
  Pending check(const PasswordFile& file, const protocol::BasicCredentials& given,
                std::string_view network, Answer answer);
  // Checks that have not begun.
  size_t waiting() const;

 private:
  using Key = tls::Sha256;  // of hash, name and password
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  struct Job {
    Key key;
    std::string hash;
    std::string password;
    bool known;
    MonotonicTime asked;
    std::string network;  // that asked first
    PasswordFailures::Guess guess;
  };
  // The checks of one network that wait.
  struct Line {
    std::string network;
    bool failed;  // lately
    std::deque<Job> jobs;
  };
  using Lines = std::list<Line>;  // in the order of their turns
  class Asked;
  using Askers = std::vector<std::unique_ptr<Asked>>;

  Key key_of(const PasswordFile::Found& kept, const protocol::BasicCredentials& given) const;
  PasswordFailures::Guess guess_of(const PasswordFile::Found& kept,
                                   const protocol::BasicCredentials& given) const;
  bool enqueue(Job job, uint32_t failures);
  bool make_room(size_t than);
  void refuse(const Key& key);
  Job take_next();
  void remember(const Key& key);
  void note_failure(std::string_view network, PasswordFailures::Guess guess);
  void deliver(const Key& key, Verdict verdict);
  void withdraw(const Key& key, const Asked& asked) noexcept;
  static Verdict verdict_on(const Job& job, MonotonicTime now);
  void run();

  net::Loop& loop_;
  PasswordFailures& failures_;
  tls::KeyedMac mac_;
  std::unordered_map<Key, Askers, KeyHash> checks_;
  Askers answering_;
  std::unordered_map<Key, MonotonicTime, KeyHash> remembered_;  // until when
  std::deque<Key> in_order_;                                    // as they end

  mutable std::mutex mutex_;  // for these
  std::condition_variable wake_;
  Lines lines_;  // none is empty
  size_t waiting_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // from the first check on
};

}  // namespace usher::proxy
