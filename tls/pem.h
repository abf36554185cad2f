// PEM files on disk, and what OpenSSL's contexts take out of them. An error names the file. Private
// to tls/.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "base/result.h"
#include "tls/self_signed.h"

namespace usher::tls {

Result<std::string> read_pem_file(const std::string& path);

// The certificate with its chain, and its key. The names are what errors call them.
Outcome use_certificate(SSL_CTX* context, const PemPair& pem, const std::string& chain_name,
                        const std::string& key_name);

// The same from two files.
Outcome use_certificate_files(SSL_CTX* context, const std::string& chain, const std::string& key);

}  // namespace usher::tls
