#include "conf/toml_reader.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/checks.h"
#include "conf/keys.h"
#include "conf/places.h"
#include "conf/toml_document.h"
#include "conf/values.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

std::string number_text(double number) {
  std::string text = std::to_string(number);
  while (text.ends_with('0'))
    text.pop_back();
  return text.ends_with('.') ? text + "0" : text;
}

// What stands in the file, in a few words.
std::string seen(const toml::node& node) {
  if (const auto* text = node.as_string()) return in_quotes(text->get());
  if (const auto* number = node.as_integer()) return "the integer " + std::to_string(number->get());
  if (const auto* number = node.as_floating_point())
    return "the number " + number_text(number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (node.is_array_of_tables()) return "an array of tables";
  if (node.is_array()) return "a list";
  if (node.is_table()) return "a table";
  return "a date or time";
}

// Where a table stands: its dotted path and how its header is written.
struct Section {
  std::string path;
  bool array = false;

  std::string key(std::string_view name) const {
    return path.empty() ? std::string(name) : path + "." + std::string(name);
  }
  std::string header() const {
    if (path.empty()) return "the top level";
    return array ? "[[" + path + "]]" : "[" + path + "]";
  }
};

template <typename T>
struct ElementOf {};
template <typename T>
struct ElementOf<std::vector<T>> {
  using type = T;
};
template <typename T>
concept List = requires {
  typename ElementOf<T>::type;
};

// Visits the keys of a table that are tables themselves: visit(section, std::type_identity<T>).
template <Table T>
void each_subtable(const Section& section, const auto& visit) {
  for (const auto& key : keys_of<T>()) {
    std::visit(
        [&]<typename F>(F) {
          if constexpr (std::is_member_object_pointer_v<F>) {
            using Value = std::remove_cvref_t<decltype(std::declval<T&>().*std::declval<F>())>;
            if constexpr (Table<Value>) {
              visit(Section{section.key(key.name), false}, std::type_identity<Value>());
            } else if constexpr (List<Value>) {
              if constexpr (Table<typename ElementOf<Value>::type>) {
                visit(Section{section.key(key.name), true},
                      std::type_identity<typename ElementOf<Value>::type>());
              }
            }
          }
        },
        key.field);
  }
}

// The headers of the tables that know a key of this name.
template <Table T>
void homes_of(std::string_view name, const Section& section, std::vector<std::string>& homes) {
  for (const auto& key : keys_of<T>()) {
    if (key.name == name) homes.push_back(section.header());
  }
  each_subtable<T>(section, [&]<typename Sub>(const Section& below, std::type_identity<Sub>) {
    homes_of<Sub>(name, below, homes);
  });
}

// "\\S" of a regular expression is not "\\s".
void lower_host(std::string& host) {
  if (!host.starts_with('~')) host = to_lower(host);
}

class Reader final {
 public:
  explicit Reader(Problems& problems) : problems_(problems) {}

  // Settings must not move before check() is done: places_ knows them by address.
  void read(const toml::table& file) {
    table(file, settings_, {});
    for (auto& route : settings_.routes) {
      lower_host(route.host);
      std::for_each(route.hosts.begin(), route.hosts.end(), lower_host);
    }
    fill_in(settings_);
    check(settings_, places_, problems_);
  }
  Settings take() { return std::move(settings_); }
  Origins take_origins() { return std::move(origins_); }

 private:
  template <Table T>
  void table(const toml::table& from, T& into, const Section& section);
  template <Table T>
  bool unknown_keys(const toml::table& from, const Section& section);
  template <Table T>
  std::string meant(std::string_view name);

  // Each reads one value and says whether it was good; name is its dotted path.
  bool value(const toml::node& from, bool& into, const Rule& rule, const std::string& name);
  template <typename T>
  bool value(const toml::node& from, T& into, const Rule& rule, const std::string& name);
  template <typename T>
  bool list(const toml::node& from, std::vector<T>& into, const Rule& rule,
            const std::string& name);
  template <Table T>
  bool tables(const toml::node& from, std::vector<T>& into, const Rule& rule,
              const std::string& name);
  bool headers(const toml::node& from, std::vector<HeaderSetting>& into, const std::string& name);
  template <typename Owner>
  bool switched(const toml::node& from, Owner& owner, const Switched<Owner>& field,
                const std::string& name);

  bool refuse(const toml::node& node, const std::string& name, const Error& error) {
    problems_.error(position_of(node), name + ": " + error.detail);
    return false;
  }

  Problems& problems_;
  Places places_;
  Settings settings_;
  Origins origins_;
};

template <Table T>
void Reader::table(const toml::table& from, T& into, const Section& section) {
  places_.put(into, position_of(from));
  bool good = unknown_keys<T>(from, section);
  for (const auto& key : keys_of<T>()) {
    const toml::node* node = from.get(key.name);
    if (!node) {
      if (!key.rule.required) continue;
      problems_.error(position_of(from),
                      section.header() + " needs the key " + in_quotes(key.name));
      good = false;
      continue;
    }
    const std::string name = section.key(key.name);
    const auto read_field = [&]<typename F>(F field) {
      if constexpr (std::same_as<F, Switched<T>>) {
        return switched(*node, into, field, name);
      } else {
        auto& target = into.*field;
        using Value = std::remove_cvref_t<decltype(target)>;
        places_.put(target, position_of(*node));
        if constexpr (Table<Value>) {
          const auto* below = node->as_table();
          if (!below)
            return refuse(*node, name, unexpected("the table [" + name + "]", seen(*node)));
          table(*below, target, {name, false});
          return true;
        } else if constexpr (!List<Value>) {
          return value(*node, target, key.rule, name);
        } else if constexpr (Table<typename ElementOf<Value>::type>) {
          return tables(*node, target, key.rule, name);
        } else if constexpr (std::same_as<Value, std::vector<HeaderSetting>>) {
          return headers(*node, target, name);
        } else {
          return list(*node, target, key.rule, name);
        }
      }
    };
    if (!std::visit(read_field, key.field)) good = false;
  }
  if (!good) places_.doubt(into);
}

template <Table T>
bool Reader::unknown_keys(const toml::table& from, const Section& section) {
  bool good = true;
  for (const auto& entry : from) {
    const toml::key& name = entry.first;
    const auto known = std::any_of(keys_of<T>().begin(), keys_of<T>().end(),
                                   [&name](const auto& key) { return key.name == name.str(); });
    if (known) continue;
    good = false;
    const std::string where = section.path.empty() ? " at " : " in ";
    problems_.error(position_of(name.source()), "unknown key " + in_quotes(name.str()) + where +
                                                    section.header() + meant<T>(name.str()));
  }
  return good;
}

// The key of the same table that others call so, or the nearest one; else the tables where a key of
// this very name belongs.
template <Table T>
std::string Reader::meant(std::string_view name) {
  std::vector<std::string_view> known;
  for (const auto& key : keys_of<T>()) {
    for (const std::string_view other : split_list(key.rule.others, ' ')) {
      if (other == name) return "; did you mean " + in_quotes(key.name) + "?";
    }
    known.push_back(key.name);
  }
  if (auto hint = did_you_mean(name, known); !hint.empty()) return hint;

  std::vector<std::string> homes;
  homes_of<Settings>(name, {}, homes);
  if (homes.empty()) return {};
  std::string text = "; it belongs ";
  for (size_t i = 0; i < homes.size(); ++i) {
    if (i > 0) text += i + 1 == homes.size() ? " or " : ", ";
    text += (homes[i].starts_with('[') ? "in " : "at ") + homes[i];
  }
  return text;
}

bool Reader::value(const toml::node& from, bool& into, const Rule& rule, const std::string& name) {
  const auto* flag = from.as_boolean();
  if (!flag) return refuse(from, name, unexpected(expected(into, rule), seen(from)));
  into = flag->get();
  return true;
}

template <typename T>
bool Reader::value(const toml::node& from, T& into, const Rule& rule, const std::string& name) {
  constexpr bool number = OneOf<T, uint16_t, uint32_t>;
  constexpr bool measure = OneOf<T, Millis, Size>;
  const auto* integer = from.as_integer();
  const bool takes_integer = number || (std::same_as<T, Size> && integer && integer->get() == 0);
  if (from.is_string() ? number : !(integer && takes_integer)) {
    const std::string why = measure && integer ? ", which has no unit" : "";
    return refuse(from, name, unexpected(expected(into, rule), seen(from) + why));
  }
  const std::string text = integer ? std::to_string(integer->get()) : from.as_string()->get();
  const auto outcome = assign(text, into, rule);
  if (outcome) {
    if (rule.is_read) origins_.emplace(text, problems_.place(position_of(from)) + ": " + name);
    return true;
  }
  if (!integer) return refuse(from, name, outcome.error());
  return refuse(from, name, unexpected(allowed(into, rule), seen(from)));
}

template <typename T>
bool Reader::list(const toml::node& from, std::vector<T>& into, const Rule& rule,
                  const std::string& name) {
  const auto* array = from.as_array();
  if (!array) {
    return refuse(from, name, unexpected("a list [...], each " + expected(T{}, rule), seen(from)));
  }
  if (rule.required && array->empty()) {
    return refuse(from, name, unexpected("a list of at least one", "an empty one"));
  }
  into.clear();
  into.reserve(array->size());
  bool good = true;
  for (const auto& element : *array) {
    auto& target = into.emplace_back();
    places_.put(target, position_of(element));
    good = value(element, target, rule, name) && good;
  }
  return good;
}

template <Table T>
bool Reader::tables(const toml::node& from, std::vector<T>& into, const Rule&,
                    const std::string& name) {
  const auto* array = from.as_array();
  const bool all_tables = array && std::all_of(array->begin(), array->end(),
                                               [](const auto& node) { return node.is_table(); });
  if (!all_tables) {
    const std::string got = from.is_table() ? "the table [" + name + "]" : seen(from);
    return refuse(from, name, unexpected("the array of tables [[" + name + "]]", got));
  }
  into.clear();
  into.reserve(array->size());
  for (const auto& element : *array)
    table(*element.as_table(), into.emplace_back(), {name, true});
  return true;
}

// { "Name" = "value" }, or a list of values for a name that comes several times.
bool Reader::headers(const toml::node& from, std::vector<HeaderSetting>& into,
                     const std::string& name) {
  const auto* table = from.as_table();
  if (!table)
    return refuse(from, name, unexpected(R"(a table such as { "X-Name" = "value" })", seen(from)));
  into.clear();
  into.reserve(table->size());
  bool good = true;
  for (const auto& entry : *table) {
    const std::string header(entry.first.str());
    if (const char* wanted = header_to_set(header)) {
      good = refuse(entry.second, name, unexpected(wanted, in_quotes(header)));
      continue;
    }
    const auto take = [&](const toml::node& node) {
      HeaderSetting& made = into.emplace_back();
      made.name = header;
      good = value(node, made.value, {.check = header_value}, name + "." + header) && good;
    };
    if (const auto* several = entry.second.as_array()) {
      for (const auto& node : *several)
        take(node);
    } else {
      take(entry.second);
    }
  }
  return good;
}

template <typename Owner>
bool Reader::switched(const toml::node& from, Owner& owner, const Switched<Owner>& field,
                      const std::string& name) {
  const auto* text = from.as_string();
  places_.put(owner.*field.address, position_of(from));
  owner.*field.enabled = !(text && text->get().empty());
  return !(owner.*field.enabled) || value(from, owner.*field.address, {}, name);
}

}  // namespace

Result<ReadSettings> read_toml(std::string_view file, std::string_view text) {
  Problems problems(file);
  const auto document = parse_document(text, problems);
  if (!document) return problems.to_error();
  Reader reader(problems);
  reader.read(*document);
  if (problems.any_error()) return problems.to_error();
  return ReadSettings{reader.take(), reader.take_origins(), problems.warnings()};
}

}  // namespace usher::conf
