// The certificates that TLS listeners show: loaded at the start and with each reload, looked at
// twice a second, and replaced when their files are others than before and have been left alone for
// a look. A pair that cannot be used leaves the one before in its place and is a line in the log.
// One that is soon over is a warning every twelve hours.
//
// A file is followed to where its symlinks lead: what is renamed, linked anew or written over is
// another one.
//
// The state directory has a copy of each pair that was used. At a start, a pair that cannot be used
// is replaced by its copy, else by the copies of what was shown last, else by the self-signed
// certificate, until its files are good (docs/decisions/0017-copies-of-certificates.md).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "conf/settings.h"
#include "control/file_watch.h"
#include "control/state_directory.h"
#include "net/loop.h"
#include "net/timer.h"
#include "tls/credential.h"

namespace usher::control {

// A pair of the settings that cannot be used.
struct CertificateProblem {
  std::string certificate;  // its file
  std::string reason;
  std::string shown;  // in its place
};

class CertificateKeeper final {
 public:
  enum class Source : uint8_t { files, copy, self_signed };

  struct Kept {
    Source source = Source::files;
    conf::CertificateSettings files{};  // of the settings; empty: it is none of theirs
    std::string authorities{};          // PEM file where its issuer may be; or empty
    FileWatch watch{{}};
    std::shared_ptr<const tls::Credential> credential{};  // nullptr: there is none that can be used
    std::string problem{};                                // why the files cannot be used; or empty
  };
  struct Set {
    std::vector<Kept> kept;
    Files files;
  };
  enum class Strictness : uint8_t {
    all_or_none,
    whatever_there_is,
  };

  // `changed` follows when a certificate was replaced.
  CertificateKeeper(net::Loop& loop, const Clock& clock, const StateDirectory& state,
                    const Log& log, std::function<void()> changed);

  // Those of the settings, or without any the self-signed one. An error names the file.
  Result<Set> load(const conf::TlsSettings& settings, const Files& files = {},
                   Strictness strictness = Strictness::all_or_none) const;
  // From now on these are kept.
  void use(Set set);
  tls::Credentials credentials() const { return credentials_of(set_); }
  static tls::Credentials credentials_of(const Set& set);
  // This one is shown with another OCSP response from now on.
  void staple(const tls::Credential& credential, const std::string& der);
  std::vector<CertificateProblem> problems() const;

  // What the timers do.
  void look();
  void look_at_ends();

 private:
  Result<std::shared_ptr<const tls::Credential>> self_signed() const;
  std::shared_ptr<const tls::Credential> copy(const std::string& name) const;
  Outcome stand_in(std::vector<Kept>& set) const;
  void keep_copies() const;
  void complain() const;
  bool look_at(Kept& kept) const;

  const Clock& clock_;
  const StateDirectory& state_;
  const Log& log_;
  std::function<void()> changed_;
  Set set_;
  net::Timer<&CertificateKeeper::look> look_again_;
  net::Timer<&CertificateKeeper::look_at_ends> look_at_ends_again_;
};

}  // namespace usher::control
