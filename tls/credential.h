// A certificate with its chain and its key: what one side shows and signs with. Immutable; contexts
// and threads share it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "tls/self_signed.h"

namespace usher::tls {

class Credential final {
 public:
  // From two PEM files: the certificate, then the intermediate ones; and its private key. Its
  // issuer may stand in a file of `authorities` instead, which is shown to nobody. An error names
  // the file.
  static Result<std::shared_ptr<const Credential>> load(const std::string& chain,
                                                        const std::string& key,
                                                        const std::string& authorities = {},
                                                        const Files& files = {});
  // The same from texts; the names are what errors call them.
  static Result<std::shared_ptr<const Credential>> parse(const PemPair& pem,
                                                         const std::string& chain_name,
                                                         const std::string& key_name,
                                                         std::string_view authorities = {});
  ~Credential();

  // Where it is from: the chain's name.
  const std::string& origin() const { return origin_; }
  // Whom it is for, in lower case: its DNS names, or without any its common name.
  const std::vector<std::string>& names() const { return names_; }
  WallTime not_before() const { return not_before_; }
  WallTime not_after() const { return not_after_; }

  // The same with an OCSP response (DER) that is sent to clients that ask for one; empty: without.
  std::shared_ptr<const Credential> with_staple(std::string der) const;
  const std::string& staple() const { return staple_; }

  // The certificate, the intermediate ones and the key, as one text.
  std::string to_pem() const;

  // It may be of another file, and have another staple.
  bool has_same_certificate(const Credential& other) const;

  // OpenSSL's objects, the same for every staple. For tls/ alone.
  struct Parts;
  const Parts& parts() const { return *parts_; }

 private:
  Credential(std::string origin, std::shared_ptr<const Parts> parts);
  static Result<std::shared_ptr<const Credential>> make(const PemPair& pem, std::string origin,
                                                        const std::string& chain_name,
                                                        const std::string& key_name,
                                                        std::string_view authorities);

  std::string origin_;
  std::shared_ptr<const Parts> parts_;
  std::vector<std::string> names_;
  WallTime not_before_;
  WallTime not_after_;
  std::string staple_;
};

using Credentials = std::vector<std::shared_ptr<const Credential>>;

}  // namespace usher::tls
