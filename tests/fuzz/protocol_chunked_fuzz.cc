// The chunked decoder against a reader that is written to be obvious: it has the whole text, and
// regular expressions for its grammar would say the same (RFC 9112 section 7.1).

#include <cstddef>
#include <cstdint>

#include "protocol/chunked.h"
#include "protocol/http1_writer.h"
#include "protocol/octets.h"
#include "tests/fuzz/protocol_cuts.h"

namespace {

using namespace usher;
using namespace usher::protocol;
using namespace usher::protocol::fuzz;

constexpr HeadLimits limits{.bytes = 512, .fields = 8};

enum class End : uint8_t { incomplete, complete, broken };

struct Decoded {
  End end = End::incomplete;
  std::string data;
  std::string trailers;
  Headers trailer_fields;
  size_t used = 0;  // when complete

  std::string text() const {
    return std::to_string(static_cast<int>(end)) + " " + std::to_string(used) + "\n" + trailers +
           data;
  }
};

Decoded decode(std::span<const std::string_view> pieces, HeadLimits bounds = limits) {
  ChunkedDecoder decoder(bounds);
  Decoded outcome;
  for (const auto piece : pieces) {
    std::span<const char> input(piece);
    while (true) {
      const auto before = input.size();
      const auto step = decoder.next(input);
      outcome.used += before - input.size();
      if (step.fault) {
        outcome.used = 0;
        outcome.end = End::broken;
        return outcome;
      }
      outcome.data.append(step.data.data(), step.data.size());
      if (step.done) {
        outcome.end = End::complete;
        outcome.trailer_fields = decoder.take_trailers();
        outcome.trailers = fields_but(outcome.trailer_fields, {});
        return outcome;
      }
      if (step.data.empty()) break;
    }
    require(input.empty(), "an incomplete body uses up its input");
  }
  outcome.used = 0;
  return outcome;
}

void skip_blanks(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
}

bool is_extension(std::string_view text) {
  while (!text.empty()) {
    skip_blanks(text);
    if (text.empty() || text.front() != ';') return false;
    text.remove_prefix(1);
    skip_blanks(text);
    size_t name = 0;
    while (name < text.size() && is_octet(text[name], token_octet))
      ++name;
    if (name == 0) return false;
    text.remove_prefix(name);
    auto mark = text;
    skip_blanks(mark);
    if (mark.empty() || mark.front() != '=') continue;
    text = mark.substr(1);
    skip_blanks(text);
    if (!text.starts_with('"')) {
      size_t value = 0;
      while (value < text.size() && is_octet(text[value], token_octet))
        ++value;
      if (value == 0) return false;
      text.remove_prefix(value);
      continue;
    }
    size_t i = 1;
    for (; i < text.size() && text[i] != '"'; ++i) {
      if (text[i] == '\\') ++i;
    }
    if (i >= text.size() || !is_field_value(text.substr(0, i))) return false;
    text.remove_prefix(i + 1);
  }
  return true;
}

// Judges complete bodies only: what is complete for one of the two must be so for the other.
bool is_complete(std::string_view text, Decoded& outcome) {
  const auto all = text;
  size_t extensions = 0;
  while (true) {
    const auto line_end = text.find("\r\n");
    if (line_end == std::string_view::npos) return false;
    const auto line = text.substr(0, line_end);
    const auto digits = line.substr(0, line.find_first_of("; \t"));
    const auto extension = line.substr(digits.size());
    // The decoder counts what follows the first octet behind the digits.
    if (!extension.empty()) extensions += extension.size();
    if (digits.empty() || digits.size() > 15 || !is_all(digits, hex_octet)) return false;
    if (!is_extension(extension) || extensions > 4096) return false;
    text.remove_prefix(line_end + 2);
    const auto size = std::stoull(std::string(digits), nullptr, 16);
    if (size == 0) break;
    if (text.size() < size || text.size() - size < 2) return false;
    outcome.data.append(text.substr(0, size));
    if (text.substr(size, 2) != "\r\n") return false;
    text.remove_prefix(size + 2);
  }
  const auto section = text;
  for (size_t fields = 0;; ++fields) {
    const auto line_end = text.find("\r\n");
    if (line_end == std::string_view::npos) return false;
    const auto line = text.substr(0, line_end);
    text.remove_prefix(line_end + 2);
    if (section.size() - text.size() > limits.bytes) return false;
    if (line.empty()) break;
    const auto name = line.substr(0, line.find(':'));
    if (fields == limits.fields || name.size() == line.size() || !is_all(name, token_octet) ||
        !is_field_value(line.substr(name.size()))) {
      return false;
    }
    outcome.trailers.append(name).append(": ");
    outcome.trailers.append(trim(line.substr(name.size() + 1))).append("\n");
  }
  outcome.used = all.size() - text.size();
  outcome.end = End::complete;
  return true;
}

// As it goes on to whoever is next: one chunk for all that came in one piece.
void check_round_trip(const Decoded& outcome) {
  std::string written;
  if (!outcome.data.empty()) {
    write_chunk_prefix(written, outcome.data.size());
    written.append(outcome.data).append(chunk_suffix);
  }
  write_last_chunk(written, outcome.trailer_fields);
  const std::vector<std::string_view> whole{written};
  // A space behind each colon may make a section larger than it came.
  const auto again = decode(whole, {.bytes = 2 * limits.bytes, .fields = limits.fields});
  require(again.end == End::complete && again.used == written.size(), "it is one whole body");
  require_equal(outcome.data, again.data, "with the same data");
  require_equal(trailers_passed_on(outcome.trailer_fields), again.trailers, "and trailers");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::vector<std::string_view> whole{text};
  const auto outcome = decode(whole);
  require_equal(outcome.text(), decode(octets_of(text)).text(), "octet by octet");
  require_equal(outcome.text(), decode(cuts_of(text, data[0] * 256u + data[1])).text(),
                "in pieces");

  if (outcome.end == End::complete) check_round_trip(outcome);

  Decoded obvious;
  const bool complete = is_complete(text, obvious);
  require(complete == (outcome.end == End::complete), "both find the body complete, or neither");
  if (complete) require_equal(obvious.text(), outcome.text(), "both read the same");
  return 0;
}
