// Asks the responders of the certificates that are shown what they say of them, in the background,
// and has their answers stapled to handshakes. A responder that fails is a line in the log when it
// begins to; what it said before is shown until it is over, and handshakes go on in any case.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "tls/credential.h"

namespace usher::control {

class OcspStapler final {
 public:
  // `staple` gets what a credential is to be shown with from now on; empty: nothing any more.
  using Staple = std::function<void(const tls::Credential& credential, std::string der)>;

  OcspStapler(net::Loop& loop, const Clock& clock, const Log& log, Staple staple);
  ~OcspStapler();

  // Those of them that name a responder are asked about from now on.
  void watch(const tls::Credentials& credentials);

 private:
  class Watched;

  net::Resolver& resolver();

  net::Loop& loop_;
  // Not the one that finds replicas: whoever is to be asked here may have a name that takes long.
  std::unique_ptr<net::Resolver> resolver_;
  const Clock& clock_;
  const Log& log_;
  Staple staple_;
  std::vector<std::unique_ptr<Watched>> watched_;
};

}  // namespace usher::control
