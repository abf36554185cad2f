// What follows from something else by a table: types of files, and the variables of maps.

#include "base/strings.h"
#include "conf/keys.h"
#include "conf/text_rules.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

const char* types_entry(std::string_view text) {
  const auto words = split_list(text, ' ');
  const bool good = words.size() > 1 && words.front().find('/') != std::string_view::npos;
  return good ? nullptr : R"(a type and its endings such as "text/html html htm")";
}

const char* variable_name(std::string_view text) {
  return is_identifier(text, "_") && !is_digit(text.front())
             ? nullptr
             : "a variable's name of letters, digits and \"_\"";
}

// clang-format off
const Key types_keys[] = {
    {"name", &TypesSettings::name,
     {.max = 64, .check = upstream_name, .required = true, .example = "\"own\""},
     "What routes call it."},
    {"entries", &TypesSettings::entries,
     {.check = types_entry, .example = "[\"text/html html htm\"]"},
     "Each a type, and after it the endings of its files, in any case. Any other file is content_type."},
};

const Key map_entry_keys[] = {
    {"match", &MapEntry::match,
     {.max = 4096, .required = true, .example = "\"~*(?<tool>curl|wget)\""},
     "The whole text, in any case; \"~\" and a regular expression (PCRE), \"~*\" for one that "
     "ignores case; with hostnames \"*.example.org\", \".example.org\" and \"www.*\" as well. "
     "\"\\\" before a text that begins with \"~\" or \"\\\" itself. An empty source matches no expression."},
    {"value", &MapEntry::value, {.required = true, .example = "\"$tool\""},
     "What the variable is then; with variables, and the groups of its expression."},
};

const Key map_keys[] = {
    {"name", &MapSettings::name,
     {.max = 64, .check = variable_name, .required = true, .example = "\"client_kind\""},
     "The variable's name, without \"$\"."},
    {"source", &MapSettings::source, {.required = true, .example = "\"$http_user_agent\""},
     "What is looked up: a text with variables, also those of other maps."},
    {"default", &MapSettings::otherwise, {},
     "What the variable is where nothing matches."},
    {"hostnames", &MapSettings::hostnames, {},
     "The source is a host, which may end in a dot, and the texts may be patterns of names."},
    {"entry", &MapSettings::entries, {},
     "One value of the source. A text beats an expression; of the patterns the longest counts, "
     "those that begin with a star first; of the expressions the first that matches."},
};

// clang-format on

}  // namespace

template <>
const Table& table_of<TypesSettings>() {
  static const Table table{types_keys, &usual<TypesSettings>()};
  return table;
}
template <>
const Table& table_of<MapEntry>() {
  static const Table table{map_entry_keys, &usual<MapEntry>()};
  return table;
}
template <>
const Table& table_of<MapSettings>() {
  static const Table table{map_keys, &usual<MapSettings>()};
  return table;
}

}  // namespace usher::conf
