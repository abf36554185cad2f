// Header fields of one message, in their order, with the memory that their text lives in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "protocol/field_rules.h"

namespace usher::protocol {

// Text with one lifetime, in few allocations. Views stay valid until the Arena goes, moves
// included.
class Arena final {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept { *this = std::move(other); }
  Arena& operator=(Arena&& other) noexcept {
    first_ = std::move(other.first_);
    more_ = std::move(other.more_);
    // What was moved from must not write into memory that it no longer owns.
    next_ = std::exchange(other.next_, nullptr);
    left_ = std::exchange(other.left_, 0);
    return *this;
  }

  std::string_view copy(std::string_view text);

 private:
  static constexpr size_t chunk_size = 1024;
  // Room beside a first text, a whole head as a rule, for the fields that forwarding adds.
  static constexpr size_t slack = 384;

  char* grow(size_t size);

  std::unique_ptr<char[]> first_;
  std::vector<std::unique_ptr<char[]>> more_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

struct Field {
  std::string_view name;   // as it was spelled
  std::string_view value;  // without surrounding white space
  uint8_t rules = 0;       // of the name; FieldRule or'ed

  bool is(uint8_t some_rules) const { return (rules & some_rules) != 0; }
};

// Calls predicate with each element of a comma-separated list, trimmed, empty ones left out (RFC
// 9110 section 5.6.1), until it returns true; says whether it did. Nothing is allocated.
template <typename Predicate>
bool any_element(std::string_view list, Predicate predicate) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto element = trim(list.substr(0, comma));
    if (!element.empty() && predicate(element)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

bool list_has_token(std::string_view list, std::string_view token);

// Names compare without regard to case (RFC 9110 section 5.1). Every view given to a method that
// adds is copied.
class Headers final {
 public:
  // The first field of that name.
  std::optional<std::string_view> get(std::string_view name) const;
  bool has(std::string_view name) const { return get(name).has_value(); }
  size_t count(std::string_view name) const;
  // Is token an element of the comma-separated list that all fields of that name make together?
  bool has_token(std::string_view name, std::string_view token) const;

  void append(std::string_view name, std::string_view value);
  // Replaces all fields of that name by this one, in the place of the first.
  void set(std::string_view name, std::string_view value);
  // Returns how many went.
  size_t remove(std::string_view name);
  // The same of every spelling that a CGI-like server takes for this name (field_rules.h).
  void set_alone(std::string_view name, std::string_view value);
  void remove_every(std::string_view name);
  template <typename Predicate>
  size_t remove_if(Predicate predicate) {
    return std::erase_if(fields_, predicate);
  }

  // Asks for each field what its value is to be; nothing: as it is.
  template <typename NewValue>
  void replace_values(NewValue new_value) {
    for (Field& field : fields_) {
      if (const auto value = new_value(std::as_const(field))) field.value = arena_.copy(*value);
    }
  }

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  void clear() { fields_.clear(); }

  void reserve(size_t fields) { fields_.reserve(fields); }

  // For codecs: text that lives as long as these headers.
  std::string_view keep(std::string_view text) { return arena_.copy(text); }
  // For codecs: a field whose text already lives in keep().
  void append_kept(std::string_view name, std::string_view value) {
    fields_.push_back({name, value, rules_of(name)});
  }

 private:
  Arena arena_;
  std::vector<Field> fields_;
};

}  // namespace usher::protocol
