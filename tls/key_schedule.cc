#include "tls/key_schedule.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "tls/hkdf.h"

namespace usher::tls {
namespace {

thread_local HandshakeNotes* notes_of_thread = nullptr;

// What OpenSSL asks for.
struct Derivation {
  int mode = -1;
  const EVP_MD* hash = nullptr;
  Bytes key, salt, data;
  std::string_view prefix, label;

  // False for a parameter that cannot be read. Those that are not known are passed over.
  bool read(const OSSL_PARAM* parameter);
  bool extract(std::span<uint8_t> out) const;
  bool expand(std::span<uint8_t> out) const;

 private:
  void note(Bytes secret) const;
};

Bytes bytes_in(const OSSL_PARAM& parameter) {
  return {static_cast<const uint8_t*>(parameter.data), parameter.data_size};
}

std::string_view text_in(const OSSL_PARAM& parameter) {
  return {static_cast<const char*>(parameter.data), parameter.data_size};
}

bool Derivation::read(const OSSL_PARAM* parameter) {
  const std::string_view name(parameter->key);
  if (name == OSSL_KDF_PARAM_MODE) return OSSL_PARAM_get_int(parameter, &mode) == 1;
  if (name == OSSL_KDF_PARAM_DIGEST) {
    const auto* const wanted = static_cast<const char*>(parameter->data);
    for (const EVP_MD* each : {sha256(), sha384()})
      if (EVP_MD_is_a(each, wanted)) hash = each;
    return hash != nullptr;
  }
  if (name == OSSL_KDF_PARAM_KEY) key = bytes_in(*parameter);
  if (name == OSSL_KDF_PARAM_SALT) salt = bytes_in(*parameter);
  if (name == OSSL_KDF_PARAM_DATA) data = bytes_in(*parameter);
  if (name == OSSL_KDF_PARAM_PREFIX) prefix = text_in(*parameter);
  if (name == OSSL_KDF_PARAM_LABEL) label = text_in(*parameter);
  return true;
}

// One step down in the schedule's figure: `salt` is the secret above, from which "derived" is made
// before, `key` is what comes in from the left; whichever is not there is zeros.
bool Derivation::extract(std::span<uint8_t> out) const {
  const auto size = static_cast<size_t>(EVP_MD_get_size(hash));
  if (out.size() != size) return false;
  static constexpr std::array<uint8_t, EVP_MAX_MD_SIZE> zeros{};
  const Bytes incoming = key.empty() ? Bytes(zeros).first(size) : key;
  if (salt.empty()) return hkdf_extract(hash, Bytes(zeros).first(size), incoming, out.data());
  std::array<uint8_t, EVP_MAX_MD_SIZE> of_nothing, derived;
  const bool done = EVP_Digest("", 0, of_nothing.data(), nullptr, hash, nullptr) == 1 &&
                    hkdf_expand_label(hash, salt, label, Bytes(of_nothing).first(size),
                                      std::span(derived).first(size)) &&
                    hkdf_extract(hash, Bytes(derived).first(size), incoming, out.data());
  OPENSSL_cleanse(derived.data(), derived.size());
  return done;
}

bool Derivation::expand(std::span<uint8_t> out) const {
  if (!hkdf_expand_label(hash, key, label, data, out)) return false;
  if (notes_of_thread) note(out);
  return true;
}

void Derivation::note(Bytes secret) const {
  TrafficSecret* const kept = label == "c ap traffic"   ? &notes_of_thread->client_secret
                              : label == "s ap traffic" ? &notes_of_thread->server_secret
                                                        : nullptr;
  if (!kept || secret.size() > kept->bytes.size()) return;
  std::ranges::copy(secret, kept->bytes.begin());
  kept->size = secret.size();
}

// All parameters come with the derivation, as libssl gives them: a context has no state.
int derive(void*, unsigned char* out, size_t size, const OSSL_PARAM parameters[]) {
  Derivation asked;
  for (const OSSL_PARAM* each = parameters; each && each->key; ++each)
    if (!asked.read(each)) return 0;
  if (!asked.hash || asked.prefix != "tls13 ") return 0;
  const std::span into(out, size);
  if (asked.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) return asked.extract(into);
  if (asked.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY) return asked.expand(into);
  return 0;
}

void* new_context(void*) {
  static char stateless;
  return &stateless;
}

void free_context(void*) {}

template <typename Function>
OSSL_DISPATCH entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

const OSSL_ALGORITHM* query(void*, int operation, int* may_be_kept) {
  static const OSSL_DISPATCH functions[] = {entry(OSSL_FUNC_KDF_NEWCTX, &new_context),
                                            entry(OSSL_FUNC_KDF_FREECTX, &free_context),
                                            entry(OSSL_FUNC_KDF_DERIVE, &derive),
                                            {0, nullptr}};
  static const OSSL_ALGORITHM kdfs[] = {
      {OSSL_KDF_NAME_TLS1_3_KDF, "provider=usher", functions, "TLS 1.3's key schedule"},
      {nullptr, nullptr, nullptr, nullptr}};
  *may_be_kept = 0;
  return operation == OSSL_OP_KDF ? kdfs : nullptr;
}

int start(const OSSL_CORE_HANDLE* core, const OSSL_DISPATCH*, const OSSL_DISPATCH** ours,
          void** context) {
  static const OSSL_DISPATCH functions[] = {entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, &query),
                                            {0, nullptr}};
  *ours = functions;
  *context = const_cast<OSSL_CORE_HANDLE*>(core);
  return 1;
}

}  // namespace

const char* key_schedule_properties() {
  // Those that OpenSSL loads by itself remain. Ours is kept until the process ends.
  static const OSSL_PROVIDER* const loaded =
      OSSL_PROVIDER_add_builtin(nullptr, "usher", &start) == 1
          ? OSSL_PROVIDER_try_load(nullptr, "usher", 1)
          : nullptr;
  // Only an OpenSSL without memory takes no provider.
  if (!loaded) std::abort();
  return "?provider=usher";
}

SecretsGoTo::SecretsGoTo(HandshakeNotes& notes) { notes_of_thread = &notes; }
SecretsGoTo::~SecretsGoTo() { notes_of_thread = nullptr; }

}  // namespace usher::tls
