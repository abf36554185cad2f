#include "control/certificate_keeper.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/strings.h"
#include "tls/digest.h"
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

constexpr std::string_view copies = "certificate-";  // how their names in the state directory begin

std::vector<FileMark> marks_of(const Files& files, const conf::CertificateSettings& pair) {
  return {files.mark(pair.chain), files.mark(pair.key)};
}

std::string name_of_copy(const conf::CertificateSettings& pair) {
  constexpr std::array<uint8_t, 1> no_secret{};
  const tls::Sha256 digest = tls::make_hmac_sha256(no_secret)(pair.chain + "\n" + pair.key);
  constexpr size_t enough = 8;
  return std::string(copies) + to_hex(std::span(digest).first(enough)) + ".pem";
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

Result<CertificateKeeper::Set> CertificateKeeper::load(const conf::TlsSettings& settings,
                                                       const Files& files,
                                                       Strictness strictness) const {
  Set set{{}, files};
  for (const conf::CertificateSettings& pair : settings.certificates) {
    Kept& kept = set.kept.emplace_back();
    kept.files = pair;
    kept.authorities = settings.trusted_ca;
    kept.watch = FileWatch(marks_of(files, pair));
    auto credential = tls::Credential::load(pair.chain, pair.key, settings.trusted_ca, files);
    if (credential) {
      kept.credential = std::move(*credential);
      continue;
    }
    if (strictness == Strictness::all_or_none) return std::move(credential).error();
    kept.problem = credential.error().detail;
    kept.source = Source::copy;
    kept.credential = copy(name_of_copy(pair));
  }
  const auto is_shown = [](const Kept& kept) { return kept.credential != nullptr; };
  if (!set.kept.empty() && std::ranges::all_of(set.kept, is_shown)) return set;
  if (Outcome done = stand_in(set.kept); !done) return std::move(done).error();
  return set;
}

// Where a pair has neither good files nor a copy, the copies of all that was shown last join the
// set; where there is still nothing to show, a certificate of our own does.
Outcome CertificateKeeper::stand_in(std::vector<Kept>& set) const {
  const bool any_named = !set.empty();
  for (const std::string& name : any_named ? state_.names(copies) : std::vector<std::string>()) {
    auto credential = copy(name);
    const bool known =
        credential && std::ranges::any_of(set, [&](const Kept& kept) {
          return kept.credential && kept.credential->has_same_certificate(*credential);
        });
    if (!credential || known) continue;
    Kept& kept = set.emplace_back();
    kept.source = Source::copy;
    kept.credential = std::move(credential);
  }
  if (std::ranges::any_of(set, [](const Kept& kept) { return kept.credential != nullptr; }))
    return {};
  auto own = self_signed();
  if (!own) return std::move(own).error();
  Kept& kept = set.emplace_back();
  kept.source = Source::self_signed;
  kept.credential = std::move(*own);
  return {};
}

// One that is over helps nobody.
std::shared_ptr<const tls::Credential> CertificateKeeper::copy(const std::string& name) const {
  const std::string text = state_.read(name);
  if (text.empty()) return nullptr;
  auto credential =
      tls::Credential::parse({text, text}, "copy in " + state_.path() + "/" + name, name);
  const WallTime now = clock_.wall();
  const bool good =
      credential && (*credential)->not_before() <= now && now < (*credential)->not_after();
  return good ? std::move(*credential) : nullptr;
}

// A key that only root may read is not written where this process could read it.
void CertificateKeeper::keep_copies() const {
  const auto has_problem = [](const Kept& kept) { return !kept.problem.empty(); };
  if (set_.kept.empty() || std::ranges::any_of(set_.kept, has_problem)) return;
  std::set<std::string> names;
  for (const Kept& kept : set_.kept) {
    if (kept.source != Source::files) continue;
    if (::access(kept.files.key.c_str(), R_OK) != 0) continue;
    std::string name = name_of_copy(kept.files);
    const std::string text = kept.credential->to_pem();
    if (state_.read(name) != text) state_.keep(name, text);
    names.insert(std::move(name));
  }
  for (const std::string& name : state_.names(copies)) {
    if (!names.contains(name)) state_.drop(name);
  }
}

std::vector<CertificateProblem> CertificateKeeper::problems() const {
  std::string shown;
  for (const auto& credential : credentials())
    shown += (shown.empty() ? "" : ", ") + credential->origin();
  std::vector<CertificateProblem> all;
  for (const Kept& kept : set_.kept) {
    if (kept.problem.empty()) continue;
    all.push_back(
        {kept.files.chain, kept.problem, kept.credential ? kept.credential->origin() : shown});
  }
  return all;
}

void CertificateKeeper::complain() const {
  for (const CertificateProblem& problem : problems()) {
    log_.error("certificate_unusable", {{"certificate", problem.certificate},
                                        {"reason", problem.reason},
                                        {"shown_instead", problem.shown}});
  }
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
  keep_copies();
  look_at_ends();
}

tls::Credentials CertificateKeeper::credentials_of(const Set& set) {
  tls::Credentials credentials;
  for (const Kept& kept : set.kept) {
    if (kept.credential) credentials.push_back(kept.credential);
  }
  return credentials;
}

void CertificateKeeper::staple(const tls::Credential& credential, const std::string& der) {
  bool replaced = false;
  for (Kept& kept : set_.kept) {
    if (!kept.credential || &kept.credential->parts() != &credential.parts() ||
        kept.credential->staple() == der) {
      continue;
    }
    kept.credential = kept.credential->with_staple(der);
    replaced = true;
  }
  if (replaced) changed_();
}

void CertificateKeeper::look() {
  look_again_.start(look_interval);
  bool replaced = false;
  for (Kept& kept : set_.kept)
    replaced = look_at(kept) || replaced;
  if (!replaced) return;
  const bool all_good =
      std::ranges::all_of(set_.kept, [](const Kept& kept) { return kept.problem.empty(); });
  // Whatever stood in for a pair of the settings is no longer needed.
  if (all_good) std::erase_if(set_.kept, [](const Kept& kept) { return kept.files.chain.empty(); });
  keep_copies();
  changed_();
}

// True when there is another certificate in its place.
bool CertificateKeeper::look_at(Kept& kept) const {
  if (kept.files.chain.empty() || !kept.watch.shows_change(marks_of(set_.files, kept.files)))
    return false;
  auto next = tls::Credential::load(kept.files.chain, kept.files.key, kept.authorities, set_.files);
  if (!next) {
    if (kept.source != Source::files) kept.problem = next.error().detail;
    log_.error("certificate_refused",
               {{"reason", next.error().detail},
                {"kept", kept.credential ? names_of(*kept.credential) : std::string()}});
    return false;
  }
  kept.credential = std::move(*next);
  kept.source = Source::files;
  kept.problem.clear();
  log_.info("certificate_loaded",
            {{"certificate", kept.credential->origin()},
             {"names", names_of(*kept.credential)},
             {"seconds_left", seconds_left(*kept.credential, clock_.wall())}});
  return true;
}

void CertificateKeeper::look_at_ends() {
  look_at_ends_again_.start(end_look_interval);
  complain();
  const WallTime now = clock_.wall();
  bool replaced = false;
  for (Kept& kept : set_.kept) {
    if (!kept.credential || !is_near_its_end(*kept.credential, now)) continue;
    if (kept.source == Source::self_signed) {
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
