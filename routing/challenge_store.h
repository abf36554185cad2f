// Answers to ACME's HTTP challenges (RFC 8555 section 8.3), kept for a while so that any node can
// give the one that was put into another: token -> key authorization.
//
// As with the AffinityStore: an answer is never delivered inside the call that asked, dropping the
// Pending cancels it, and it comes within the store's time-out, as an Error if need be.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/pending.h"
#include "base/result.h"

namespace usher::routing {

// Those of the certificate authorities have 43 characters.
bool is_challenge_token(std::string_view text);
// RFC 8555 section 8.1: "<token>.<thumbprint of the account's key>".
bool is_key_authorization(std::string_view token, std::string_view text);

// What it is stored under.
std::string challenge_key(std::string_view token);

class ChallengeStore {
 public:
  using FoundChallenge = std::function<void(Result<std::optional<std::string>>)>;
  using KeptChallenge = std::function<void(Outcome)>;

  virtual ~ChallengeStore() = default;

  virtual Pending find_challenge(std::string_view token, FoundChallenge found) = 0;
  // Replaces what is there.
  virtual Pending keep_challenge(std::string_view token, std::string_view key_authorization,
                                 std::chrono::milliseconds ttl, KeptChallenge kept) = 0;
  // Dropping what is not there is no error.
  virtual Pending drop_challenge(std::string_view token, KeptChallenge dropped) = 0;
};

}  // namespace usher::routing
