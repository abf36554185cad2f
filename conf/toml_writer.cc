#include "conf/toml_writer.h"

#include "conf/keys.h"
#include "conf/toml_values.h"

namespace usher::conf {
namespace {

using Shape = Kind::Shape;

class Writer final {
 public:
  // Values first: what follows a header belongs to its table.
  void table(const Table& rows, const void* from, const std::string& path) {
    for (const Key& key : rows.keys)
      value(rows, key, from);
    for (const Key& key : rows.keys) {
      const std::string name =
          path.empty() ? std::string(key.name) : path + "." + std::string(key.name);
      below(rows, key, from, name);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  void value(const Table& rows, const Key& key, const void* from) {
    if (key.kind.shape == Shape::table || key.kind.shape == Shape::tables) return;
    if (key.rule.required || !key.kind.equal(key.in(from), key.in(rows.usual)))
      text_.append(key.name).append(" = ").append(render(key.kind, key.in(from))).append("\n");
  }

  void below(const Table& rows, const Key& key, const void* from, const std::string& name) {
    const void* value = key.in(from);
    if (key.kind.shape == Shape::table) {
      if (key.kind.equal(value, key.in(rows.usual))) return;
      text_ += "\n[" + name + "]\n";
      table(key.kind.table(), value, name);
    } else if (key.kind.shape == Shape::tables) {
      for (size_t i = 0; i < key.kind.size(value); ++i) {
        text_ += "\n[[" + name + "]]\n";
        table(key.kind.element->table(), key.kind.at(value, i), name);
      }
    }
  }

  std::string text_;
};

}  // namespace

std::string to_toml(const Settings& settings) {
  Writer writer;
  writer.table(table_of<Settings>(), &settings, {});
  return writer.take();
}

}  // namespace usher::conf
