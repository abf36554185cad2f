// Perl-compatible regular expressions (PCRE2). A match is bounded in steps and in depth: what a
// client sends cannot make it run for long. Immutable; safe for any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace usher {

enum class Matched : uint8_t { no, yes, gave_up };  // gave_up: the bound was reached

class Regex final {
 public:
  // Errc::bad_config; its detail says what is wrong, and where: "unmatched closing parenthesis at
  // offset 3".
  static Result<Regex> compile(std::string_view pattern, bool ignoring_case);

  Matched match(std::string_view subject) const;
  // The whole match and then each group, empty where a group took no part; nothing when there is
  // no match, or when the bound was reached: then `gave_up` is set.
  std::optional<std::vector<std::string>> groups(std::string_view subject,
                                                 bool* gave_up = nullptr) const;
  // The number of the group of that name; nothing if there is none.
  std::optional<size_t> group(std::string_view name) const;

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  std::shared_ptr<const Code> code_;
};

}  // namespace usher
