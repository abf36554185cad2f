#include "conf/overrides.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/endpoint.h"
#include "conf/keys.h"
#include "conf/values.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr std::string_view http_scheme = "http://";
constexpr std::string_view https_scheme = "https://";

Error nothing_given(std::string_view expected) { return unexpected(expected, "nothing"); }

// Every address replaces what the file listens on.
Outcome apply_listen(std::string_view text, Settings& settings) {
  std::vector<ListenSettings> listen;
  for (std::string_view part : split_list(text)) {
    ListenSettings& one = listen.emplace_back();
    one.tls = starts_with_ignoring_case(part, https_scheme);
    if (one.tls) part.remove_prefix(https_scheme.size());
    if (starts_with_ignoring_case(part, http_scheme)) part.remove_prefix(http_scheme.size());
    if (auto bad = assign(part, one.address, rule_of(&ListenSettings::address)); !bad) return bad;
  }
  if (listen.empty()) return nothing_given(R"(addresses such as ":80,https://:443")");
  settings.listen = std::move(listen);
  return {};
}

Outcome apply_upstream(std::string_view text, Settings& settings) {
  std::vector<ReplicaSettings> replicas;
  for (const auto part : split_list(text)) {
    const Rule& rule = rule_of(&UpstreamSettings::replicas);
    if (auto bad = assign(part, replicas.emplace_back(), rule); !bad) return bad;
  }
  if (replicas.empty()) return nothing_given(R"(replicas such as "open-webui:8080")");
  if (settings.upstreams.empty()) settings.upstreams.resize(1);
  settings.upstreams.front().replicas = std::move(replicas);
  return {};
}

Outcome apply_store(std::string_view text, Settings& settings) {
  settings.store.url_file.clear();
  return assign(text, settings.store.url, rule_of(&StoreSettings::url));
}

Outcome apply_store_file(std::string_view text, Settings& settings) {
  return assign(text, settings.store.url_file, rule_of(&StoreSettings::url_file));
}

// The pair replaces every certificate of the file; the chain comes first.
Outcome apply_tls_chain(std::string_view text, Settings& settings) {
  settings.tls.certificates.assign(1, {});
  return assign(text, settings.tls.certificates.front().chain,
                rule_of(&CertificateSettings::chain));
}

Outcome apply_tls_key(std::string_view text, Settings& settings) {
  if (settings.tls.certificates.empty()) settings.tls.certificates.resize(1);
  return assign(text, settings.tls.certificates.front().key, rule_of(&CertificateSettings::key));
}

Outcome apply_workers(std::string_view text, Settings& settings) {
  return assign(text, settings.workers, rule_of(&Settings::workers));
}

Outcome apply_admin(std::string_view text, Settings& settings) {
  if (text == "off") text = {};
  if (starts_with_ignoring_case(text, http_scheme)) text.remove_prefix(http_scheme.size());
  return assign(text, settings.admin.address, {});
}

Outcome apply_admin_token(std::string_view text, Settings& settings) {
  settings.admin.token_file.clear();
  return assign(text, settings.admin.token, rule_of(&AdminSettings::token));
}

Outcome apply_admin_token_file(std::string_view text, Settings& settings) {
  settings.admin.token.clear();
  return assign(text, settings.admin.token_file, rule_of(&AdminSettings::token_file));
}

Outcome apply_state(std::string_view text, Settings& settings) {
  return assign(text, settings.state, rule_of(&Settings::state));
}

Outcome apply_user(std::string_view text, Settings& settings) {
  return assign(text, settings.user, rule_of(&Settings::user));
}

Outcome apply_log_access(std::string_view text, Settings& settings) {
  return assign(text, settings.log.access, rule_of(&LogSettings::access));
}

Outcome apply_log_process(std::string_view text, Settings& settings) {
  return assign(text, settings.log.process, rule_of(&LogSettings::process));
}

constexpr Override rows[] = {
    {"--listen", "USHER_LISTEN", "ADDRESSES", &Overrides::listen, apply_listen,
     "Listen here instead: addresses, separated by commas. https:// before one makes it speak TLS; "
     "http:// may be left out. Example: \":80,https://:443\"."},
    {"--upstream", "USHER_UPSTREAM", "REPLICAS", &Overrides::upstream, apply_upstream,
     "The replicas of the first upstream instead: \"host:port\", separated by commas."},
    {"--store", "USHER_STORE", "URL", &Overrides::store, apply_store,
     "Where session affinity lives: \"memory:\" or \"redis://host:6379/1\"."},
    {"--store-file", "USHER_STORE_FILE", "FILE", &Overrides::store_file, apply_store_file,
     "A file that holds this URL, which beats the URL itself.", nullptr, true},
    {"--tls-chain", "USHER_TLS_CHAIN", "FILE", &Overrides::tls_chain, apply_tls_chain,
     "The one certificate instead, with its intermediate ones (PEM). Needs the key, too.",
     &Overrides::tls_key, true},
    {"--tls-key", "USHER_TLS_KEY", "FILE", &Overrides::tls_key, apply_tls_key,
     "The private key of that certificate (PEM).", &Overrides::tls_chain, true},
    {"--workers", "USHER_WORKERS", "NUMBER", &Overrides::workers, apply_workers,
     "Threads that serve; 0: one per CPU."},
    {"--admin", "USHER_ADMIN", "ADDRESS", &Overrides::admin, apply_admin,
     "Where the admin API listens; \"off\" switches it off."},
    {"", "USHER_ADMIN_TOKEN", "TOKEN", &Overrides::admin_token, apply_admin_token,
     "The token of the admin API."},
    {"--admin-token-file", "USHER_ADMIN_TOKEN_FILE", "FILE", &Overrides::admin_token_file,
     apply_admin_token_file, "The file that holds it.", nullptr, true},
    {"--state", "USHER_STATE", "DIRECTORY", &Overrides::state, apply_state,
     "The directory for what must survive a restart."},
    {"--user", "USHER_USER", "USER", &Overrides::user, apply_user,
     "Whom usher becomes when it is started as root: \"name\", \"name:group\" or their numbers."},
    {"--log-access", "USHER_LOG_ACCESS", "PLACE", &Overrides::log_access, apply_log_access,
     "Where the access log goes: \"stdout\", \"off\" or a file."},
    {"--log-process", "USHER_LOG_PROCESS", "PLACE", &Overrides::log_process, apply_log_process,
     "Where usher's own log goes: \"stderr\" or a file."},
};

}  // namespace

std::span<const Override> all_overrides() { return rows; }

}  // namespace usher::conf
