#define PCRE2_CODE_UNIT_WIDTH 8

#include "base/regex.h"

#include <pcre2.h>

#include <array>

namespace usher {
namespace {

// A path of 8 KiB that a sane pattern reads needs a few ten thousand steps.
constexpr uint32_t most_steps = 200'000;
constexpr uint32_t most_depth = 10'000;
constexpr uint32_t most_heap_kib = 1024;

template <auto free_it>
struct Free {
  template <typename T>
  void operator()(T* what) const {
    free_it(what);
  }
};
using MatchData = std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>>;

}  // namespace

struct Regex::Code {
  std::unique_ptr<pcre2_code, Free<pcre2_code_free>> code;
  std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>> limits;

  int match(std::string_view subject, pcre2_match_data* data) const {
    return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), 0,
                       0, data, limits.get());
  }
};

Result<Regex> Regex::compile(std::string_view pattern, bool ignoring_case) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto made = std::make_shared<Code>();
  made->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                 PCRE2_NEVER_BACKSLASH_C | (ignoring_case ? PCRE2_CASELESS : 0),
                                 &error, &offset, nullptr));
  if (!made->code) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(error, text.data(), text.size());
    return Error{Errc::bad_config, Side::usher,
                 std::string(reinterpret_cast<const char*>(text.data())) + " at offset " +
                     std::to_string(offset)};
  }
  made->limits.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(made->limits.get(), most_steps);
  pcre2_set_depth_limit(made->limits.get(), most_depth);
  pcre2_set_heap_limit(made->limits.get(), most_heap_kib);
  // Where no memory may be made executable, the interpreter does the same.
  pcre2_jit_compile(made->code.get(), PCRE2_JIT_COMPLETE);
  return Regex(std::move(made));
}

Matched Regex::match(std::string_view subject) const {
  const MatchData data(pcre2_match_data_create(1, nullptr));
  const int found = code_->match(subject, data.get());
  if (found >= 0) return Matched::yes;
  return found == PCRE2_ERROR_NOMATCH ? Matched::no : Matched::gave_up;
}

std::optional<std::vector<std::string>> Regex::groups(std::string_view subject,
                                                      bool* gave_up) const {
  const MatchData data(pcre2_match_data_create_from_pattern(code_->code.get(), nullptr));
  const int matched = code_->match(subject, data.get());
  if (gave_up && matched < 0 && matched != PCRE2_ERROR_NOMATCH) *gave_up = true;
  if (matched < 0) return std::nullopt;
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
  std::vector<std::string> found(pcre2_get_ovector_count(data.get()));
  for (size_t i = 0; i < found.size(); ++i) {
    const PCRE2_SIZE begin = ends[2 * i];
    const PCRE2_SIZE end = ends[2 * i + 1];
    if (begin != PCRE2_UNSET && begin <= end) found[i] = subject.substr(begin, end - begin);
  }
  return found;
}

std::optional<size_t> Regex::group(std::string_view name) const {
  const std::string ended(name);
  const int number = pcre2_substring_number_from_name(code_->code.get(),
                                                      reinterpret_cast<PCRE2_SPTR>(ended.c_str()));
  return number > 0 ? std::optional<size_t>(static_cast<size_t>(number)) : std::nullopt;
}

}  // namespace usher
