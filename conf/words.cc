#include "conf/words.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/strings.h"

namespace usher::conf {
namespace {

constexpr size_t longest_quote = 80;
constexpr size_t longest_word = 64;
constexpr size_t shortest_start = 4;

// Optimal string alignment: insert, delete, replace, swap of two neighbours.
size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> above(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, longest_quote)) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      constexpr std::string_view hex = "0123456789abcdef";
      out += "\\x";
      out += hex[static_cast<unsigned char>(c) >> 4];
      out += hex[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
  if (text.size() > longest_quote) {
    // A character cut in the middle would not be UTF-8.
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80)
      out.pop_back();
    if (!out.empty() && (static_cast<unsigned char>(out.back()) & 0x80)) out.pop_back();
    out += "...";
  }
  return out + '"';
}

std::string any_of(std::span<const std::string_view> words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += in_quotes(words[i]);
  }
  return out;
}

Error unexpected(std::string_view expected, std::string_view got) {
  std::string detail = "expected ";
  detail += expected;
  detail += ", got ";
  detail += got;
  return {Errc::bad_config, Side::usher, std::move(detail)};
}

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> known) {
  if (word.size() > longest_word) return std::nullopt;
  std::optional<std::string_view> best;
  size_t fewest = std::max<size_t>(1, word.size() / 3) + 1;
  for (const auto candidate : known) {
    if (word.size() >= shortest_start && candidate.starts_with(word)) return candidate;
    const size_t distance = edits(word, candidate);
    if (distance >= fewest || distance >= candidate.size()) continue;
    fewest = distance;
    best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const auto meant = nearest(word, known);
  return meant ? "; did you mean " + in_quotes(*meant) + "?" : std::string();
}

bool is_identifier(std::string_view text, std::string_view marks) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [marks](char c) {
    return is_alpha(c) || is_digit(c) || marks.find(c) != std::string_view::npos;
  });
}

}  // namespace usher::conf
