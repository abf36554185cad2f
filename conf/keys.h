// The table of keys: the only place where a key's name, its bounds, its help and whether a reload
// changes it are written. The TOML reader and writer, usher.toml, docs/settings.md and the
// comparison of two settings are loops over these rows.
//
// A row knows its field by offset and type (Kind), so that such a loop is compiled once, not once
// for each table and type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "conf/settings.h"

namespace usher::conf {

// What a text must look like: nothing when it does, else what was expected.
using Check = const char* (*)(std::string_view text);

enum class Reload : uint8_t {
  live,     // takes effect at once
  restart,  // stays as it was at the start
};

// Bounds of a value; of a list, they hold for each element.
struct Rule {
  // Milliseconds, bytes, a number, the length of a text.
  uint64_t min = 0;
  uint64_t max = std::numeric_limits<uint64_t>::max();
  std::span<const std::string_view> choices{};  // empty: any
  Check check = nullptr;
  bool required = false;
  std::string_view example{};  // in TOML, for documents, where the default is no value to show
  bool is_read = false;        // the path of a file: messages about it say where it was named
  std::string_view others{};   // what people call it elsewhere: words for "did you mean"
  Reload reload = Reload::live;
};

struct Table;

// What can be done with the values of one type. `value` points to one of that type.
struct Kind {
  enum class Shape : uint8_t { value, list, headers, table, tables };
  enum class Form : uint8_t { text, flag, number, name, time, size };

  Shape shape = Shape::value;
  const void* type = nullptr;  // Places::type_of
  bool (*equal)(const void* one, const void* other) = nullptr;
  void (*copy)(const void* from, void* to) = nullptr;

  // Of a value.
  Form form = Form::text;
  // Takes the text when it is a value that the rule allows, else says what was expected. Not for a
  // flag.
  Outcome (*assign)(std::string_view text, void* value, const Rule& rule) = nullptr;
  std::string (*text)(const void* value) = nullptr;  // what assign() reads as the same value
  bool (*allows)(const void* value, const Rule& rule) = nullptr;
  std::string (*expected)(const Rule& rule) = nullptr;
  std::string (*allowed)(const Rule& rule) = nullptr;  // the same with its bounds

  // Of a list, of headers and of tables.
  const Kind* element = nullptr;
  size_t (*size)(const void* list) = nullptr;
  const void* (*at)(const void* list, size_t index) = nullptr;
  void (*restart)(void* list, size_t reserve) = nullptr;  // empties it
  void* (*append)(void* list) = nullptr;

  // Of a table, and of each of several tables.
  const Table& (*table)() = nullptr;
};

// Defined in kinds.cc for each type that a key may have.
template <typename T>
const Kind& kind_of();

// A table of which nothing is said.
template <typename T>
[[gnu::noinline]] const T& usual() {
  static const T value{};
  return value;
}

template <typename Owner, typename Value>
size_t offset_of(Value Owner::*field) {
  const auto& owner = usual<Owner>();
  return static_cast<size_t>(reinterpret_cast<const char*>(&(owner.*field)) -
                             reinterpret_cast<const char*>(&owner));
}

struct Key {
  template <typename Owner, typename Value>
  Key(std::string_view called, Value Owner::*field, const Rule& bounds, std::string_view text)
      : name(called), offset(offset_of(field)), kind(kind_of<Value>()), rule(bounds), help(text) {}

  const void* in(const void* owner) const { return static_cast<const char*>(owner) + offset; }
  void* in(void* owner) const { return static_cast<char*>(owner) + offset; }

  std::string_view name;
  size_t offset;
  const Kind& kind;
  Rule rule;
  std::string_view help;
};

// Values before tables, in the order in which they are documented.
struct Table {
  std::span<const Key> keys;
  const void* usual;  // a table of which nothing is said
};

// Defined beside its rows.
template <typename T>
const Table& table_of();

// Whether two tables say the same.
bool equal(const Table& table, const void* one, const void* other);

// The top-level keys whose values differ, as "route, types".
std::string differences(const Settings& one, const Settings& other);
// What a reload cannot change becomes in `next` what it is in `now`. Returns the dotted names of
// what would have changed.
std::vector<std::string> keep_until_restart(const Settings& now, Settings& next);

// The row of a field, for what is set by other means than a file.
template <typename Owner, typename Value>
const Rule& rule_of(Value Owner::*field) {
  for (const Key& key : table_of<Owner>().keys) {
    if (key.offset == offset_of(field) && &key.kind == &kind_of<Value>()) return key.rule;
  }
  static constexpr Rule anything;
  return anything;
}

template <typename T>
concept Enum = std::is_enum_v<T>;

template <Enum Value>
struct Named {
  std::string_view name;
  Value value;
};

template <Enum Value>
std::span<const Named<Value>> names_of();
template <>
std::span<const Named<Balance>> names_of();
template <>
std::span<const Named<PathMatch>> names_of();
template <>
std::span<const Named<OddHeaders>> names_of();
template <>
std::span<const Named<Satisfy>> names_of();
template <>
std::span<const Named<LogLevelName>> names_of();

template <Enum Value>
std::string_view name_of(Value value) {
  for (const auto& named : names_of<Value>()) {
    if (named.value == value) return named.name;
  }
  return {};
}

}  // namespace usher::conf
