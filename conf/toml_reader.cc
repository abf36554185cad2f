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

using Shape = Kind::Shape;

// The headers of the tables that know a key of this name.
void homes_of(std::string_view name, const Table& table, const Section& section,
              std::vector<std::string>& homes) {
  for (const Key& key : table.keys) {
    if (key.name == name) homes.push_back(section.header());
  }
  for (const Key& key : table.keys) {
    const bool several = key.kind.shape == Shape::tables;
    if (several || key.kind.shape == Shape::table)
      homes_of(name, key.kind.table(), {section.key(key.name), several}, homes);
  }
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
    table(file, &settings_, kind_of<Settings>(), {});
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
  void table(const toml::table& from, void* into, const Kind& kind, const Section& section);
  bool unknown_keys(const toml::table& from, const Table& rows, const Section& section);
  std::string meant(std::string_view name, const Table& rows);

  // Each reads what one key holds and says whether it was good; name is its dotted path.
  bool field(const toml::node& from, void* into, const Key& key, const std::string& name);
  bool value(const toml::node& from, void* into, const Kind& kind, const Rule& rule,
             const std::string& name);
  bool list(const toml::node& from, void* into, const Key& key, const std::string& name);
  bool tables(const toml::node& from, void* into, const Kind& kind, const std::string& name);
  bool headers(const toml::node& from, std::vector<HeaderSetting>& into, const std::string& name);

  bool refuse(const toml::node& node, const std::string& name, const Error& error) {
    problems_.error(position_of(node), name + ": " + error.detail);
    return false;
  }

  Problems& problems_;
  Places places_;
  Settings settings_;
  Origins origins_;
};

void Reader::table(const toml::table& from, void* into, const Kind& kind, const Section& section) {
  const Table& rows = kind.table();
  places_.put(into, kind.type, position_of(from));
  bool good = unknown_keys(from, rows, section);
  for (const Key& key : rows.keys) {
    const toml::node* node = from.get(key.name);
    if (node) {
      places_.put(key.in(into), key.kind.type, position_of(*node));
      good = field(*node, key.in(into), key, section.key(key.name)) && good;
    } else if (key.rule.required) {
      problems_.error(position_of(from),
                      section.header() + " needs the key " + in_quotes(key.name));
      good = false;
    }
  }
  if (!good) places_.doubt(into, kind.type);
}

bool Reader::field(const toml::node& from, void* into, const Key& key, const std::string& name) {
  switch (key.kind.shape) {
    case Shape::value: return value(from, into, key.kind, key.rule, name);
    case Shape::list: return list(from, into, key, name);
    case Shape::headers:
      return headers(from, *static_cast<std::vector<HeaderSetting>*>(into), name);
    case Shape::tables: return tables(from, into, key.kind, name);
    case Shape::table: break;
  }
  const auto* below = from.as_table();
  if (!below) return refuse(from, name, unexpected("the table [" + name + "]", seen(from)));
  table(*below, into, key.kind, {name, false});
  return true;
}

bool Reader::unknown_keys(const toml::table& from, const Table& rows, const Section& section) {
  bool good = true;
  for (const auto& entry : from) {
    const toml::key& name = entry.first;
    const auto known = std::any_of(rows.keys.begin(), rows.keys.end(),
                                   [&name](const Key& key) { return key.name == name.str(); });
    if (known) continue;
    good = false;
    const std::string where = section.path.empty() ? " at " : " in ";
    problems_.error(position_of(name.source()), "unknown key " + in_quotes(name.str()) + where +
                                                    section.header() + meant(name.str(), rows));
  }
  return good;
}

// The key of the same table that others call so, or the nearest one; else the tables where a key of
// this very name belongs.
std::string Reader::meant(std::string_view name, const Table& rows) {
  std::vector<std::string_view> known;
  for (const Key& key : rows.keys) {
    for (const std::string_view other : split_list(key.rule.others, ' ')) {
      if (other == name) return "; did you mean " + in_quotes(key.name) + "?";
    }
    known.push_back(key.name);
  }
  if (auto hint = did_you_mean(name, known); !hint.empty()) return hint;

  std::vector<std::string> homes;
  homes_of(name, table_of<Settings>(), {}, homes);
  if (homes.empty()) return {};
  std::string text = "; it belongs ";
  for (size_t i = 0; i < homes.size(); ++i) {
    if (i > 0) text += i + 1 == homes.size() ? " or " : ", ";
    text += (homes[i].starts_with('[') ? "in " : "at ") + homes[i];
  }
  return text;
}

bool Reader::value(const toml::node& from, void* into, const Kind& kind, const Rule& rule,
                   const std::string& name) {
  using Form = Kind::Form;
  if (kind.form == Form::flag) {
    const auto* flag = from.as_boolean();
    if (!flag) return refuse(from, name, unexpected(kind.expected(rule), seen(from)));
    *static_cast<bool*>(into) = flag->get();
    return true;
  }
  const bool number = kind.form == Form::number;
  const bool measure = kind.form == Form::time || kind.form == Form::size;
  const auto* integer = from.as_integer();
  const bool takes_integer = number || (kind.form == Form::size && integer && integer->get() == 0);
  if (from.is_string() ? number : !(integer && takes_integer)) {
    const std::string why = measure && integer ? ", which has no unit" : "";
    return refuse(from, name, unexpected(kind.expected(rule), seen(from) + why));
  }
  const std::string text = integer ? std::to_string(integer->get()) : from.as_string()->get();
  const auto outcome = kind.assign(text, into, rule);
  if (outcome) {
    if (rule.is_read) origins_.emplace(text, problems_.place(position_of(from)) + ": " + name);
    return true;
  }
  if (!integer) return refuse(from, name, outcome.error());
  return refuse(from, name, unexpected(kind.allowed(rule), seen(from)));
}

bool Reader::list(const toml::node& from, void* into, const Key& key, const std::string& name) {
  const Kind& element = *key.kind.element;
  const auto* array = from.as_array();
  if (!array) {
    return refuse(from, name,
                  unexpected("a list [...], each " + element.expected(key.rule), seen(from)));
  }
  if (key.rule.required && array->empty()) {
    return refuse(from, name, unexpected("a list of at least one", "an empty one"));
  }
  key.kind.restart(into, array->size());
  bool good = true;
  for (const auto& node : *array) {
    void* target = key.kind.append(into);
    places_.put(target, element.type, position_of(node));
    good = value(node, target, element, key.rule, name) && good;
  }
  return good;
}

bool Reader::tables(const toml::node& from, void* into, const Kind& kind, const std::string& name) {
  const auto* array = from.as_array();
  const bool all_tables = array && std::all_of(array->begin(), array->end(),
                                               [](const auto& node) { return node.is_table(); });
  if (!all_tables) {
    const std::string got = from.is_table() ? "the table [" + name + "]" : seen(from);
    return refuse(from, name, unexpected("the array of tables [[" + name + "]]", got));
  }
  kind.restart(into, array->size());
  for (const auto& node : *array)
    table(*node.as_table(), kind.append(into), *kind.element, {name, true});
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
      const Rule rule{.check = header_value};
      good = value(node, &made.value, kind_of<Template>(), rule, name + "." + header) && good;
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
