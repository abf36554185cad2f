#include "conf/reference/reference.h"

#include <algorithm>
#include <vector>

#include "conf/keys.h"
#include "conf/overrides.h"
#include "conf/toml_values.h"
#include "conf/values.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr size_t line_width = 100;

constexpr std::string_view toml_head =
    "# Every setting of usher with its default: a file that says nothing else than this changes\n"
    "# nothing. Made by conf_reference from the table in conf/keys.cc; docs/settings.md says the "
    "same.\n"
    "# Durations: \"250ms\" \"3s\" \"30m\" \"24h\". Sizes: \"64KiB\" \"20MiB\" \"1GiB\".\n";

constexpr std::string_view markdown_head = R"(# Settings

<!-- Made by conf_reference from the table in conf/keys.cc. Do not edit: change the table. -->

usher reads one TOML file: the one given with `-c`, else `$USHER_CONFIG`, `./usher.toml`,
`/etc/usher/usher.toml`; without any it runs with the defaults below. [usher.toml](../usher.toml) is
the same as a file. A file whose name ends in `.conf`, and `/etc/nginx/nginx.conf` when there is no
usher.toml and it has a `proxy_pass`, is read as nginx reads it: [nginx.md](nginx.md). `usher check` reads everything and says what would be served, or what is wrong
as `FILE:LINE:COL: message`.

Durations are written `"250ms"`, `"3s"`, `"30m"`, `"24h"`; sizes `"64KiB"`, `"20MiB"`, `"1GiB"` or
`"0"`. An unknown key is an error.

## Flags and environment

A flag beats the environment, which beats the file. An empty variable counts as not set.

| Flag | Variable | What it does |
| --- | --- | --- |
)";

// Whether the default is a value that one might write, or stands for "not set".
bool is_value(const std::string& value, const Rule& rule) {
  std::string same;
  return assign(value, same, rule).ok();
}
bool is_value(const Template& value, const Rule& rule) { return is_value(value.source, rule); }
bool is_value(uint16_t value, const Rule& rule) { return value >= rule.min; }
bool is_value(Millis value, const Rule& rule) {
  return static_cast<uint64_t>(value.count()) >= rule.min;
}
bool is_value(const Rate& value, const Rule&) { return value.requests > 0; }
bool is_value(const auto&, const Rule&) { return true; }

std::string sentence(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') {
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  }
  return text.empty() ? text : text + ".";
}

template <typename T>
struct Element {};
template <typename T>
struct Element<std::vector<T>> {
  using type = T;
};
template <typename T>
concept List = requires {
  typename Element<T>::type;
};

template <typename T>
constexpr bool is_table_list() {
  if constexpr (List<T>) return Table<typename Element<T>::type>;
  return false;
}

// What may be written, where neither the help nor the default shows it already.
template <typename T>
std::string choices(const T& value, const Rule& rule) {
  if constexpr (List<T>) {
    return rule.choices.empty() ? "" : "a list, each " + any_of(rule.choices);
  } else if constexpr (OneOf<T, uint16_t, uint32_t, Millis> || Enum<T>) {
    return allowed(value, rule);
  } else if constexpr (std::same_as<T, Size>) {
    return rule.min > 0 ? allowed(value, rule) : "";
  } else {
    return any_of(rule.choices);
  }
}

// A table of which nothing is said. Not inlined: else GCC warns of the fields that other tables
// have.
template <Table T>
[[gnu::noinline]] const T& usual() {
  static const T value{};
  return value;
}

class TomlWriter final {
 public:
  template <Table T>
  void table(const T& from, const std::string& path) {
    for (const auto& key : keys_of<T>()) {
      std::visit([&](auto field) { write(from, path, key, field); }, key.field);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  template <Table T, typename F>
  void write(const T& from, const std::string& path, const Key<T>& key, F field) {
    if constexpr (std::same_as<F, Switched<T>>) {
      leaf(key, render(field, from), {}, true);
    } else {
      const auto& value = from.*field;
      using Value = std::remove_cvref_t<decltype(value)>;
      const std::string name =
          path.empty() ? std::string(key.name) : path + "." + std::string(key.name);
      if constexpr (Table<Value>) {
        header("[" + name + "]", key.help, true);
        table(value, name);
      } else if constexpr (is_table_list<Value>()) {
        tables(value, name, key.help);
      } else {
        leaf(key, render(value), choices(value, key.rule), is_value(value, key.rule),
             brief_ && value == usual<T>().*field && !key.rule.required);
      }
    }
  }

  template <Table T>
  void tables(const std::vector<T>& values, const std::string& name, std::string_view help) {
    const bool within_an_example = example_;
    const std::string title = "[[" + name + "]]";
    for (const auto& value : values) {
      brief_ = &value != &values.front();
      header(title, brief_ ? "" : help, true);
      table(value, name);
    }
    brief_ = false;
    if (!values.empty()) return;
    header(title, help, false);
    example_ = true;
    table(usual<T>(), name);
    example_ = within_an_example;
  }

  void header(const std::string& title, std::string_view help, bool active) {
    text_ += '\n';
    comment(help);
    text_ += (active ? "" : "# ") + title + "\n";
  }

  template <Table T>
  void leaf(const Key<T>& key, const std::string& value, const std::string& may_be, bool active,
            bool left_out = false) {
    if (left_out) return;
    if (!brief_) {
      const std::string more = sentence(may_be);
      comment(std::string(key.help) + (more.empty() ? "" : " " + more));
    }
    if (brief_ && !active) return;
    text_ += active && !example_ ? "" : "# ";
    text_ += std::string(key.name) + " = ";
    const bool by_example = !active || (example_ && !key.rule.example.empty());
    text_ += by_example ? std::string(key.rule.example) : value;
    text_ += '\n';
  }

  void comment(std::string_view text) {
    while (!text.empty()) {
      size_t end = text.size();
      if (end > line_width - 2) end = std::min(text.rfind(' ', line_width - 2), text.size());
      text_ += "# " + std::string(text.substr(0, end)) + "\n";
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::string text_;
  bool brief_ = false;    // a further entry of a list: only what differs
  bool example_ = false;  // a list without any: all of it is a comment
};

class MarkdownWriter final {
 public:
  template <Table T>
  void table(const T& from, const std::string& path) {
    bool any_row = false;
    for (const auto& key : keys_of<T>()) {
      std::visit([&](auto field) { row(from, key, field, any_row); }, key.field);
    }
    for (const auto& key : keys_of<T>()) {
      const std::string name =
          path.empty() ? std::string(key.name) : path + "." + std::string(key.name);
      std::visit([&](auto field) { section(from, name, key.help, field); }, key.field);
    }
  }
  void plain(std::string_view text) { text_ += text; }
  std::string take() { return std::move(text_); }

 private:
  template <Table T, typename F>
  void row(const T& from, const Key<T>& key, F field, bool& any_row) {
    if constexpr (std::same_as<F, Switched<T>>) {
      cells(key, "", render(field, from), any_row);
    } else {
      const auto& value = from.*field;
      using Value = std::remove_cvref_t<decltype(value)>;
      if constexpr (!Table<Value> && !is_table_list<Value>()) {
        const bool shown = !key.rule.required && is_value(value, key.rule);
        cells(key, choices(value, key.rule), shown ? render(value) : "", any_row);
      }
    }
  }

  template <Table T, typename F>
  void section(const T& from, const std::string& name, std::string_view help, F field) {
    if constexpr (!std::same_as<F, Switched<T>>) {
      const auto& value = from.*field;
      using Value = std::remove_cvref_t<decltype(value)>;
      if constexpr (Table<Value>) {
        heading("[" + name + "]", help);
        table(value, name);
      } else if constexpr (is_table_list<Value>()) {
        heading("[[" + name + "]]", help);
        table(usual<typename Element<Value>::type>(), name);
      }
    }
  }

  template <Table T>
  void cells(const Key<T>& key, const std::string& may_be, const std::string& value,
             bool& any_row) {
    if (!any_row) text_ += "\n| Key | Default | What it does |\n| --- | --- | --- |\n";
    any_row = true;
    std::string one_line;
    for (const char c : value) {
      const bool indent = c == ' ' && one_line.ends_with(' ');
      if (!indent) one_line += c == '\n' ? ' ' : c;
    }
    std::string meaning(key.help);
    if (!may_be.empty()) meaning += " " + sentence(may_be);
    if (one_line.empty()) one_line = key.rule.required ? "required" : "none";
    const bool code = !value.empty();
    text_ += "| `" + std::string(key.name) + "` | " + (code ? "`" : "") + one_line +
             (code ? "`" : "") + " | " + meaning + " |\n";
  }

  void heading(const std::string& title, std::string_view help) {
    text_ += "\n## `" + title + "`\n\n" + std::string(help) + "\n";
  }

  std::string text_;
};

}  // namespace

std::string reference_toml() {
  TomlWriter writer;
  writer.table(built_in_settings(), {});
  return std::string(toml_head) + "\n" + writer.take();
}

std::string reference_markdown() {
  MarkdownWriter writer;
  writer.plain(markdown_head);
  for (const auto& row : all_overrides()) {
    const std::string flag =
        row.flag.empty() ? "-" : "`" + std::string(row.flag) + " " + std::string(row.value) + "`";
    writer.plain("| " + flag + " | `" + std::string(row.variable) + "` | " + std::string(row.help) +
                 " |\n");
  }
  writer.plain("\n## Top level\n");
  writer.table(built_in_settings(), {});
  return writer.take();
}

}  // namespace usher::conf
