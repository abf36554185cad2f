#include "control/certificate_keeper.h"

#include <algorithm>
#include <utility>

#include "tls/self_signed.h"

namespace usher::control {
namespace {

using namespace std::chrono_literals;

// Noticed, left alone for a look, loaded: within a second.
constexpr Duration look_interval = 500ms;
constexpr Duration end_look_interval = 12h;
// Whoever renews in time (a month before the end, or with a third of a short life left) never hears
// of it.
constexpr auto warn_before = 24h * 14;
constexpr int warn_share = 4;  // of its life, when that is short

std::vector<FileMark> marks_of(const conf::CertificateSettings& files) {
  return {mark_of(files.chain), mark_of(files.key)};
}

std::string names_of(const tls::Credential& credential) {
  std::string text;
  for (const std::string& name : credential.names())
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

int64_t seconds_left(const tls::Credential& credential, WallTime now) {
  return std::chrono::duration_cast<std::chrono::seconds>(credential.not_after() - now).count();
}

bool is_near_its_end(const tls::Credential& credential, WallTime now) {
  const auto life = credential.not_after() - credential.not_before();
  return credential.not_after() - now <
         std::min<WallTime::duration>(warn_before, life / warn_share);
}

}  // namespace

CertificateKeeper::CertificateKeeper(net::Loop& loop, const Clock& clock,
                                     const StateDirectory& state, const Log& log,
                                     std::function<void()> changed)
    : clock_(clock),
      state_(state),
      log_(log),
      changed_(std::move(changed)),
      look_again_(loop, *this),
      look_at_ends_again_(loop, *this) {}

Result<CertificateKeeper::Set> CertificateKeeper::load(const conf::TlsSettings& settings) const {
  Set set;
  for (const conf::CertificateSettings& files : settings.certificates) {
    FileWatch watch(marks_of(files));
    auto credential = tls::Credential::load(files.chain, files.key, settings.trusted_ca);
    if (!credential) return std::move(credential).error();
    set.push_back({files, settings.trusted_ca, std::move(watch), std::move(*credential)});
  }
  if (!set.empty()) return set;
  auto own = self_signed();
  if (!own) return std::move(own).error();
  set.push_back({{}, {}, FileWatch({}), std::move(*own)});
  return set;
}

Result<std::shared_ptr<const tls::Credential>> CertificateKeeper::self_signed() const {
  auto own = tls::load_or_make_self_signed(state_.path(), clock_.wall());
  if (!own) return std::move(own).error();
  if (own->made) {
    log_.info("self_signed_certificate", {{"kept", own->kept}, {"directory", state_.path()}});
  }
  return tls::Credential::parse(own->pem, "self-signed certificate", "self-signed key");
}

void CertificateKeeper::use(Set set) {
  set_ = std::move(set);
  look_again_.start(look_interval);
  look_at_ends();
}

tls::Credentials CertificateKeeper::credentials_of(const Set& set) {
  tls::Credentials credentials;
  for (const Kept& kept : set)
    credentials.push_back(kept.credential);
  return credentials;
}

void CertificateKeeper::staple(const tls::Credential& credential, const std::string& der) {
  bool replaced = false;
  for (Kept& kept : set_) {
    if (&kept.credential->parts() != &credential.parts() || kept.credential->staple() == der)
      continue;
    kept.credential = kept.credential->with_staple(der);
    replaced = true;
  }
  if (replaced) changed_();
}

void CertificateKeeper::look() {
  look_again_.start(look_interval);
  bool replaced = false;
  for (Kept& kept : set_)
    replaced = look_at(kept) || replaced;
  if (replaced) changed_();
}

// True when there is another certificate in its place.
bool CertificateKeeper::look_at(Kept& kept) const {
  if (kept.files.chain.empty() || !kept.watch.shows_change(marks_of(kept.files))) return false;
  auto next = tls::Credential::load(kept.files.chain, kept.files.key, kept.authorities);
  if (!next) {
    log_.error("certificate_refused",
               {{"reason", next.error().detail}, {"kept", names_of(*kept.credential)}});
    return false;
  }
  kept.credential = std::move(*next);
  log_.info("certificate_loaded",
            {{"certificate", kept.credential->origin()},
             {"names", names_of(*kept.credential)},
             {"seconds_left", seconds_left(*kept.credential, clock_.wall())}});
  return true;
}

void CertificateKeeper::look_at_ends() {
  look_at_ends_again_.start(end_look_interval);
  const WallTime now = clock_.wall();
  bool replaced = false;
  for (Kept& kept : set_) {
    if (!is_near_its_end(*kept.credential, now)) continue;
    if (kept.files.chain.empty()) {
      auto own = self_signed();
      if (own) kept.credential = std::move(*own);
      replaced = replaced || own;
      continue;
    }
    log_.warning("certificate_expires", {{"certificate", kept.credential->origin()},
                                         {"names", names_of(*kept.credential)},
                                         {"seconds_left", seconds_left(*kept.credential, now)}});
  }
  if (replaced) changed_();
}

}  // namespace usher::control
