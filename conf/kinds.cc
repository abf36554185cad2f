// The types that keys may have, a line each at the end: how their values are read, written and
// compared.

#include <algorithm>
#include <type_traits>

#include "conf/cookie_flags.h"
#include "conf/keys.h"
#include "conf/places.h"
#include "conf/values.h"

namespace usher::conf {
namespace {

template <typename T>
const T& as(const void* value) {
  return *static_cast<const T*>(value);
}

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(uint16_t value) { return std::to_string(value); }
std::string text_of(uint32_t value) { return std::to_string(value); }
std::string text_of(Millis value) { return format_millis(value); }
std::string text_of(Size value) { return format_size(value); }
std::string text_of(const std::string& value) { return value; }
std::string text_of(const Pattern& value) { return value.source; }
std::string text_of(const Template& value) { return value.source; }
std::string text_of(const std::optional<Endpoint>& value) {
  return value ? to_string(*value) : std::string();
}
template <Enum T>
std::string text_of(const T& value) {
  return std::string(name_of(value));
}
template <typename T>
std::string text_of(const T& value) {
  return to_string(value);
}

template <typename T>
constexpr Kind::Form form_of() {
  using Form = Kind::Form;
  if (std::is_same_v<T, bool>) return Form::flag;
  if (std::is_same_v<T, uint16_t> || std::is_same_v<T, uint32_t>) return Form::number;
  if (std::is_same_v<T, Millis>) return Form::time;
  if (std::is_same_v<T, Size>) return Form::size;
  return std::is_enum_v<T> ? Form::name : Form::text;
}

template <typename T>
struct ElementOf {};
template <typename T>
struct ElementOf<std::vector<T>> {
  using Is = T;
};
template <typename T>
concept List = requires {
  typename ElementOf<T>::Is;
};

// What has rows of its own: the structs whose names end in Settings, but for those that are one
// text in a file.
template <typename T>
concept HasText = requires(std::string_view text, T& value, const Rule& rule) {
  { assign(text, value, rule) } -> std::same_as<Outcome>;
};
template <typename T>
concept Rows = std::is_class_v<T> && !HasText<T> && !List<T> && !std::is_same_v<T, HeaderSetting>;

template <typename T>
bool equal_values(const void* one, const void* other) {
  return as<T>(one) == as<T>(other);
}
template <typename T>
bool equal_tables(const void* one, const void* other) {
  return equal(table_of<T>(), one, other);
}
template <typename T>
bool equal_lists(const void* one, const void* other) {
  return std::equal(
      as<T>(one).begin(), as<T>(one).end(), as<T>(other).begin(), as<T>(other).end(),
      [](const auto& a, const auto& b) { return equal_tables<typename ElementOf<T>::Is>(&a, &b); });
}

template <typename T>
Kind make_value() {
  Kind kind{.equal = equal_values<T>};
  kind.form = form_of<T>();
  kind.allows = [](const void*, const Rule&) { return true; };
  if constexpr (HasText<T>) {
    kind.allows = [](const void* value, const Rule& rule) {
      T same;
      return assign(text_of(as<T>(value)), same, rule).ok();
    };
    kind.assign = [](std::string_view text, void* value, const Rule& rule) {
      return assign(text, *static_cast<T*>(value), rule);
    };
  }
  kind.text = [](const void* value) { return text_of(as<T>(value)); };
  kind.expected = [](const Rule& rule) { return expected(usual<T>(), rule); };
  kind.allowed = [](const Rule& rule) { return allowed(usual<T>(), rule); };
  return kind;
}

template <typename T>
Kind make_list() {
  using Element = typename ElementOf<T>::Is;
  Kind kind;
  kind.element = &kind_of<Element>();
  kind.size = [](const void* list) { return as<T>(list).size(); };
  kind.at = [](const void* list, size_t index) -> const void* { return &as<T>(list)[index]; };
  kind.restart = [](void* list, size_t reserve) {
    static_cast<T*>(list)->clear();
    static_cast<T*>(list)->reserve(reserve);
  };
  kind.append = [](void* list) -> void* { return &static_cast<T*>(list)->emplace_back(); };
  if constexpr (Rows<Element>) {
    kind.shape = Kind::Shape::tables;
    kind.table = table_of<Element>;
    kind.equal = equal_lists<T>;
  } else {
    kind.shape = std::is_same_v<Element, HeaderSetting> ? Kind::Shape::headers : Kind::Shape::list;
    kind.equal = equal_values<T>;
  }
  return kind;
}

template <typename T>
Kind make_kind() {
  Kind kind;
  if constexpr (List<T>) {
    kind = make_list<T>();
  } else if constexpr (Rows<T>) {
    kind = {.shape = Kind::Shape::table, .equal = equal_tables<T>};
    kind.table = table_of<T>;
  } else if constexpr (std::is_same_v<T, HeaderSetting>) {
    kind.equal = equal_values<T>;
  } else {
    kind = make_value<T>();
  }
  kind.type = Places::type_of<T>();
  kind.copy = [](const void* from, void* to) { *static_cast<T*>(to) = as<T>(from); };
  return kind;
}

}  // namespace

template <typename T>
const Kind& kind_of() {
  static const Kind kind = make_kind<T>();
  return kind;
}

template const Kind& kind_of<bool>();
template const Kind& kind_of<uint16_t>();
template const Kind& kind_of<uint32_t>();
template const Kind& kind_of<Millis>();
template const Kind& kind_of<Size>();
template const Kind& kind_of<std::string>();
template const Kind& kind_of<Template>();
template const Kind& kind_of<Endpoint>();
template const Kind& kind_of<std::optional<Endpoint>>();
template const Kind& kind_of<StoreUrl>();
template const Kind& kind_of<Balance>();
template const Kind& kind_of<Rate>();
template const Kind& kind_of<OddHeaders>();
template const Kind& kind_of<PathMatch>();
template const Kind& kind_of<Satisfy>();
template const Kind& kind_of<Pattern>();
template const Kind& kind_of<LogLevelName>();

template const Kind& kind_of<std::vector<uint16_t>>();
template const Kind& kind_of<std::vector<std::string>>();
template const Kind& kind_of<std::vector<Template>>();
template const Kind& kind_of<std::vector<Cidr>>();
template const Kind& kind_of<std::vector<Endpoint>>();
template const Kind& kind_of<std::vector<HeaderSetting>>();
template const Kind& kind_of<std::vector<ReplicaSettings>>();
template const Kind& kind_of<std::vector<RateLimitSettings>>();
template const Kind& kind_of<std::vector<ConnectionLimitSettings>>();
template const Kind& kind_of<std::vector<CookieFlags>>();

template const Kind& kind_of<Settings>();
template const Kind& kind_of<TlsSettings>();
template const Kind& kind_of<StoreSettings>();
template const Kind& kind_of<AffinitySettings>();
template const Kind& kind_of<HealthSettings>();
template const Kind& kind_of<UpstreamTimeouts>();
template const Kind& kind_of<BasicAuthSettings>();
template const Kind& kind_of<CompressionSettings>();
template const Kind& kind_of<RouteTimeouts>();
template const Kind& kind_of<TrustSettings>();
template const Kind& kind_of<ForwardedSettings>();
template const Kind& kind_of<LimitSettings>();
template const Kind& kind_of<Http2Settings>();
template const Kind& kind_of<ClientTimeouts>();
template const Kind& kind_of<AdminSettings>();
template const Kind& kind_of<LogSettings>();

template const Kind& kind_of<std::vector<ListenSettings>>();
template const Kind& kind_of<std::vector<CertificateSettings>>();
template const Kind& kind_of<std::vector<UpstreamSettings>>();
template const Kind& kind_of<std::vector<RateZoneSettings>>();
template const Kind& kind_of<std::vector<ConnectionZoneSettings>>();
template const Kind& kind_of<std::vector<RewriteSettings>>();
template const Kind& kind_of<std::vector<RouteSettings>>();
template const Kind& kind_of<std::vector<TypesSettings>>();
template const Kind& kind_of<std::vector<MapEntry>>();
template const Kind& kind_of<std::vector<MapSettings>>();
template const Kind& kind_of<std::vector<AccessLogSettings>>();

bool equal(const Table& table, const void* one, const void* other) {
  return std::all_of(table.keys.begin(), table.keys.end(),
                     [=](const Key& key) { return key.kind.equal(key.in(one), key.in(other)); });
}

std::string differences(const Settings& one, const Settings& other) {
  std::string names;
  for (const Key& key : table_of<Settings>().keys) {
    if (key.kind.equal(key.in(&one), key.in(&other))) continue;
    names.append(names.empty() ? "" : ", ").append(key.name);
  }
  return names;
}

namespace {

void keep_until_restart(const Table& table, const void* now, void* next, const std::string& path,
                        std::vector<std::string>& names) {
  for (const Key& key : table.keys) {
    const std::string name = path + std::string(key.name);
    if (key.rule.reload == Reload::live) {
      if (key.kind.shape == Kind::Shape::table)
        keep_until_restart(key.kind.table(), key.in(now), key.in(next), name + ".", names);
    } else if (!key.kind.equal(key.in(now), key.in(next))) {
      key.kind.copy(key.in(now), key.in(next));
      names.push_back(name);
    }
  }
}

}  // namespace

std::vector<std::string> keep_until_restart(const Settings& now, Settings& next) {
  std::vector<std::string> names;
  keep_until_restart(table_of<Settings>(), &now, &next, {}, names);
  return names;
}

}  // namespace usher::conf
