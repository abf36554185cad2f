// The one table of keys: the only place where a key's name, its bounds and its help are written.
// The TOML reader, usher.toml and docs/settings.md are made from it.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "conf/settings.h"

namespace usher::conf {

// What a text must look like: nothing when it does, else what was expected.
using Check = const char* (*)(std::string_view text);

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
};

// One key, two fields: the empty text switches off.
template <typename Owner>
struct Switched {
  bool Owner::*enabled;
  Endpoint Owner::*address;
};

template <typename T, typename... Types>
concept OneOf = (std::same_as<T, Types> || ...);

template <typename T>
concept Table =
    OneOf<T, Settings, ListenSettings, CertificateSettings, TlsSettings, StoreSettings,
          AffinitySettings, HealthSettings, UpstreamTimeouts, UpstreamSettings, RateZoneSettings,
          ConnectionZoneSettings, BasicAuthSettings, CompressionSettings, RouteTimeouts,
          TrustSettings, RouteSettings, RewriteSettings, TypesSettings, MapEntry, MapSettings,
          ForwardedSettings, LimitSettings, Http2Settings, ClientTimeouts, AdminSettings,
          AccessLogSettings, LogSettings>;

template <typename T>
concept Enum = OneOf<T, Balance, PathMatch, OddHeaders, Satisfy, LogLevelName>;

template <typename... Types>
struct Kinds {};

// What a key of any table may hold.
using CommonKinds =
    Kinds<bool, uint32_t, Millis, Size, std::string, Template, std::vector<std::string>>;

// What else those of one table may: whoever visits a key is compiled for each of its kinds.
template <Table Owner>
struct OwnKinds {
  using Are = Kinds<>;
};
template <>
struct OwnKinds<Settings> {
  using Are =
      Kinds<TlsSettings, StoreSettings, AffinitySettings, ForwardedSettings, LimitSettings,
            Http2Settings, ClientTimeouts, AdminSettings, LogSettings, std::vector<ListenSettings>,
            std::vector<UpstreamSettings>, std::vector<RateZoneSettings>,
            std::vector<ConnectionZoneSettings>, std::vector<RouteSettings>,
            std::vector<TypesSettings>, std::vector<MapSettings>>;
};
template <>
struct OwnKinds<ListenSettings> {
  using Are = Kinds<Endpoint, std::vector<Cidr>>;
};
template <>
struct OwnKinds<TlsSettings> {
  using Are = Kinds<std::vector<CertificateSettings>>;
};
template <>
struct OwnKinds<StoreSettings> {
  using Are = Kinds<StoreUrl>;
};
template <>
struct OwnKinds<UpstreamSettings> {
  using Are = Kinds<Balance, std::vector<ReplicaSettings>, HealthSettings, UpstreamTimeouts>;
};
template <>
struct OwnKinds<RateZoneSettings> {
  using Are = Kinds<Rate>;
};
template <>
struct OwnKinds<RouteSettings> {
  using Are =
      Kinds<uint16_t, std::vector<uint16_t>, std::vector<Endpoint>, PathMatch, OddHeaders, Satisfy,
            TrustSettings, std::vector<Template>, std::vector<Cidr>, std::vector<HeaderSetting>,
            std::vector<RateLimitSettings>, std::vector<ConnectionLimitSettings>,
            std::vector<CookieFlags>, BasicAuthSettings, CompressionSettings, RouteTimeouts,
            std::vector<RewriteSettings>>;
};
template <>
struct OwnKinds<RewriteSettings> {
  using Are = Kinds<Pattern>;
};
template <>
struct OwnKinds<MapSettings> {
  using Are = Kinds<std::vector<MapEntry>>;
};
template <>
struct OwnKinds<TrustSettings> {
  using Are = Kinds<std::vector<Cidr>>;
};
template <>
struct OwnKinds<ForwardedSettings> {
  using Are = Kinds<std::vector<Cidr>>;
};
template <>
struct OwnKinds<LogSettings> {
  using Are = Kinds<LogLevelName, std::vector<AccessLogSettings>>;
};

template <Table Owner, typename Common, typename Own>
struct FieldOf;
template <Table Owner, typename... Common, typename... Own>
struct FieldOf<Owner, Kinds<Common...>, Kinds<Own...>> {
  using Is = std::variant<Switched<Owner>, Common Owner::*..., Own Owner::*...>;
};
template <Table Owner>
using Field = typename FieldOf<Owner, CommonKinds, typename OwnKinds<Owner>::Are>::Is;

template <Table Owner>
struct Key {
  std::string_view name;
  Field<Owner> field;
  Rule rule;
  std::string_view help;
};

// The keys of one table, in the order in which they are documented: values before tables.
template <Table Owner>
std::span<const Key<Owner>> keys_of();
template <>
std::span<const Key<Settings>> keys_of();
template <>
std::span<const Key<ListenSettings>> keys_of();
template <>
std::span<const Key<CertificateSettings>> keys_of();
template <>
std::span<const Key<TlsSettings>> keys_of();
template <>
std::span<const Key<StoreSettings>> keys_of();
template <>
std::span<const Key<AffinitySettings>> keys_of();
template <>
std::span<const Key<HealthSettings>> keys_of();
template <>
std::span<const Key<UpstreamTimeouts>> keys_of();
template <>
std::span<const Key<UpstreamSettings>> keys_of();
template <>
std::span<const Key<RateZoneSettings>> keys_of();
template <>
std::span<const Key<ConnectionZoneSettings>> keys_of();
template <>
std::span<const Key<BasicAuthSettings>> keys_of();
template <>
std::span<const Key<CompressionSettings>> keys_of();
template <>
std::span<const Key<RouteTimeouts>> keys_of();
template <>
std::span<const Key<TrustSettings>> keys_of();
template <>
std::span<const Key<RouteSettings>> keys_of();
template <>
std::span<const Key<RewriteSettings>> keys_of();
template <>
std::span<const Key<TypesSettings>> keys_of();
template <>
std::span<const Key<MapEntry>> keys_of();
template <>
std::span<const Key<MapSettings>> keys_of();
template <>
std::span<const Key<ForwardedSettings>> keys_of();
template <>
std::span<const Key<LimitSettings>> keys_of();
template <>
std::span<const Key<Http2Settings>> keys_of();
template <>
std::span<const Key<ClientTimeouts>> keys_of();
template <>
std::span<const Key<AdminSettings>> keys_of();
template <>
std::span<const Key<AccessLogSettings>> keys_of();
template <>
std::span<const Key<LogSettings>> keys_of();

// The row of a field, for what is set by other means than a file.
template <Table Owner, typename Value>
const Rule& rule_of(Value Owner::*field) {
  for (const auto& key : keys_of<Owner>()) {
    if (const auto* mine = std::get_if<Value Owner::*>(&key.field); mine && *mine == field) {
      return key.rule;
    }
  }
  static constexpr Rule anything;
  return anything;
}

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
