#include "conf/reference/reference.h"

#include <algorithm>
#include <vector>

#include "conf/keys.h"
#include "conf/overrides.h"
#include "conf/toml_values.h"
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

using Shape = Kind::Shape;

// Whether the default is a value that one might write, or stands for "not set".
bool is_value(const Key& key, const void* value) {
  return key.kind.shape != Shape::value || key.kind.allows(value, key.rule);
}

std::string sentence(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') {
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  }
  return text.empty() ? text : text + ".";
}

// What may be written, where neither the help nor the default shows it already.
std::string choices(const Key& key) {
  using Form = Kind::Form;
  if (key.kind.shape == Shape::list)
    return key.rule.choices.empty() ? "" : "a list, each " + any_of(key.rule.choices);
  if (key.kind.shape != Shape::value) return {};
  switch (key.kind.form) {
    case Form::number:
    case Form::time:
    case Form::name: return key.kind.allowed(key.rule);
    case Form::size: return key.rule.min > 0 ? key.kind.allowed(key.rule) : "";
    case Form::text:
    case Form::flag: break;
  }
  return any_of(key.rule.choices);
}

std::string below(const std::string& path, const Key& key) {
  return path.empty() ? std::string(key.name) : path + "." + std::string(key.name);
}

class TomlWriter final {
 public:
  void table(const Table& rows, const void* from, const std::string& path) {
    for (const Key& key : rows.keys) {
      const std::string name = below(path, key);
      const void* value = key.in(from);
      if (key.kind.shape == Shape::table) {
        header("[" + name + "]", key.help, true);
        table(key.kind.table(), value, name);
      } else if (key.kind.shape == Shape::tables) {
        tables(key, value, name);
      } else {
        const bool left_out =
            brief_ && !key.rule.required && key.kind.equal(value, key.in(rows.usual));
        if (!left_out) leaf(key, value);
      }
    }
  }
  std::string take() { return std::move(text_); }

 private:
  void tables(const Key& key, const void* values, const std::string& name) {
    const bool within_an_example = example_;
    const std::string title = "[[" + name + "]]";
    const Table& rows = key.kind.table();
    const size_t count = key.kind.size(values);
    for (size_t i = 0; i < count; ++i) {
      brief_ = i > 0;
      header(title, brief_ ? "" : key.help, true);
      table(rows, key.kind.at(values, i), name);
    }
    brief_ = false;
    if (count > 0) return;
    header(title, key.help, false);
    example_ = true;
    table(rows, rows.usual, name);
    example_ = within_an_example;
  }

  void header(const std::string& title, std::string_view help, bool active) {
    text_ += '\n';
    comment(help);
    text_ += (active ? "" : "# ") + title + "\n";
  }

  void leaf(const Key& key, const void* value) {
    const bool active = is_value(key, value);
    if (!brief_) {
      const std::string more = sentence(choices(key));
      comment(std::string(key.help) + (more.empty() ? "" : " " + more));
    }
    if (brief_ && !active) return;
    text_ += active && !example_ ? "" : "# ";
    text_ += std::string(key.name) + " = ";
    const bool by_example = !active || (example_ && !key.rule.example.empty());
    text_ += by_example ? std::string(key.rule.example) : render(key.kind, value);
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
  void table(const Table& rows, const void* from, const std::string& path) {
    bool any_row = false;
    for (const Key& key : rows.keys) {
      if (key.kind.shape == Shape::table || key.kind.shape == Shape::tables) continue;
      if (!any_row) text_ += "\n| Key | Default | What it does |\n| --- | --- | --- |\n";
      any_row = true;
      row(key, key.in(from));
    }
    for (const Key& key : rows.keys) {
      const std::string name = below(path, key);
      if (key.kind.shape == Shape::table) {
        heading("[" + name + "]", key.help);
        table(key.kind.table(), key.in(from), name);
      } else if (key.kind.shape == Shape::tables) {
        heading("[[" + name + "]]", key.help);
        table(key.kind.table(), key.kind.table().usual, name);
      }
    }
  }
  void plain(std::string_view text) { text_ += text; }
  std::string take() { return std::move(text_); }

 private:
  void row(const Key& key, const void* from) {
    const bool shown = !key.rule.required && is_value(key, from);
    const std::string value = shown ? render(key.kind, from) : "";
    std::string one_line;
    for (const char c : value) {
      const bool indent = c == ' ' && one_line.ends_with(' ');
      if (!indent) one_line += c == '\n' ? ' ' : c;
    }
    std::string meaning(key.help);
    const std::string may_be = choices(key);
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
  const Settings settings = built_in_settings();
  writer.table(table_of<Settings>(), &settings, {});
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
  const Settings settings = built_in_settings();
  writer.table(table_of<Settings>(), &settings, {});
  return writer.take();
}

}  // namespace usher::conf
