// The cipher suites of TLS 1.2 that both our sides speak. Private to tls/.
#pragma once

namespace usher::tls {

// Mozilla's server side TLS guidelines, version 5.7, "intermediate", without DHE (no parameters of
// ours).
constexpr const char* tls12_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

}  // namespace usher::tls
