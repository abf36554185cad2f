#include "proxy/password_file.h"

#include "tls/password_hash.h"

namespace usher::proxy {

PasswordFile::PasswordFile(std::string_view text) {
  while (!text.empty()) {
    auto [line, rest] = cut(text, '\n');
    text = rest.value_or(std::string_view());
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto [name, more] = cut(line, ':');
    if (line.starts_with('#') || name.empty() || !more) continue;
    const std::string_view hash = cut(*more, ':').first;
    if (hash.empty()) continue;
    const auto [entry, fresh] = hashes_.emplace(name, hash);
    if (!fresh) continue;
    all_.push_back(&entry->second);
    if (!tls::is_known_hash(entry->second)) unusable_.emplace_back(name);
  }
}

PasswordFile::Found PasswordFile::find(std::string_view name) const {
  static const std::string nothing = "*";
  const auto found = hashes_.find(name);
  if (found != hashes_.end()) return {found->second, true};
  if (all_.empty()) return {nothing, false};
  return {*all_[StringHash()(name) % all_.size()], false};
}

}  // namespace usher::proxy
