#include "conf/toml_writer.h"

#include "conf/keys.h"
#include "conf/toml_values.h"

namespace usher::conf {
namespace {

template <typename T>
struct ElementOf {};
template <typename T>
struct ElementOf<std::vector<T>> {
  using type = T;
};
template <typename T>
constexpr bool is_table_list() {
  if constexpr (requires { typename ElementOf<T>::type; }) {
    return Table<typename ElementOf<T>::type>;
  }
  return false;
}

// A table of which nothing is said. Not inlined: else GCC warns of the fields that other tables
// have.
template <Table T>
[[gnu::noinline]] const T& usual() {
  static const T value{};
  return value;
}

class Writer final {
 public:
  // Values first: what follows a header belongs to its table.
  template <Table T>
  void table(const T& from, const std::string& path) {
    for (const auto& key : keys_of<T>())
      std::visit([&](auto field) { value(from, key, field); }, key.field);
    for (const auto& key : keys_of<T>()) {
      const std::string name =
          path.empty() ? std::string(key.name) : path + "." + std::string(key.name);
      std::visit([&](auto field) { below(from, name, field); }, key.field);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  template <Table T, typename F>
  void value(const T& from, const Key<T>& key, F field) {
    if constexpr (std::same_as<F, Switched<T>>) {
      const std::string said = render(field, from);
      if (said != render(field, usual<T>())) line(key.name, said);
    } else {
      using Value = std::remove_cvref_t<decltype(from.*field)>;
      if constexpr (!Table<Value> && !is_table_list<Value>()) {
        if (from.*field != usual<T>().*field || key.rule.required)
          line(key.name, render(from.*field));
      }
    }
  }

  template <Table T, typename F>
  void below(const T& from, const std::string& name, F field) {
    if constexpr (!std::same_as<F, Switched<T>>) {
      using Value = std::remove_cvref_t<decltype(from.*field)>;
      if constexpr (Table<Value>) {
        if (from.*field == usual<T>().*field) return;
        text_ += "\n[" + name + "]\n";
        table(from.*field, name);
      } else if constexpr (is_table_list<Value>()) {
        for (const auto& each : from.*field) {
          text_ += "\n[[" + name + "]]\n";
          table(each, name);
        }
      }
    }
  }

  void line(std::string_view name, const std::string& value) {
    text_.append(name).append(" = ").append(value).append("\n");
  }

  std::string text_;
};

}  // namespace

std::string to_toml(const Settings& settings) {
  Writer writer;
  writer.table(settings, {});
  return writer.take();
}

}  // namespace usher::conf
