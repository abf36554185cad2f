// The certificates that TLS listeners show: loaded at the start and with each reload, looked at
// twice a second, and replaced when their files are others than before and have been left alone for
// a look. A pair that cannot be used leaves the one before in its place and is a line in the log.
// One that is soon over is a warning every twelve hours.
//
// A file is followed to where its symlinks lead: what is renamed, linked anew or written over is
// another one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "conf/settings.h"
#include "control/file_mark.h"
#include "control/state_directory.h"
#include "net/loop.h"
#include "net/timer.h"
#include "tls/credential.h"

namespace usher::control {

class CertificateKeeper final {
 public:
  struct Kept {
    conf::CertificateSettings files;  // empty: the self-signed one
    std::string authorities;          // PEM file where its issuer may be; or empty
    FileWatch watch;
    std::shared_ptr<const tls::Credential> credential;
  };
  using Set = std::vector<Kept>;

  // `changed` follows when a certificate was replaced.
  CertificateKeeper(net::Loop& loop, const Clock& clock, const StateDirectory& state,
                    const Log& log, std::function<void()> changed);

  // Those of the settings, or without any the self-signed one. All or none: an error names the
  // file.
  Result<Set> load(const conf::TlsSettings& settings) const;
  // From now on these are kept.
  void use(Set set);
  tls::Credentials credentials() const { return credentials_of(set_); }
  static tls::Credentials credentials_of(const Set& set);
  // This one is shown with another OCSP response from now on.
  void staple(const tls::Credential& credential, const std::string& der);

  // What the timers do.
  void look();
  void look_at_ends();

 private:
  Result<std::shared_ptr<const tls::Credential>> self_signed() const;
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
