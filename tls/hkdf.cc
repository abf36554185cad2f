#include "tls/hkdf.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <string>

#include "tls/handles.h"

namespace usher::tls {
namespace {

using MdContextPtr = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

// RFC 2104, of a text in several parts. OpenSSL's own looks its digest up at each call.
bool hmac(const EVP_MD* hash, Bytes key, std::initializer_list<Bytes> text, uint8_t* out) {
  thread_local const MdContextPtr context(EVP_MD_CTX_new());
  std::array<uint8_t, EVP_MAX_BLOCK_LENGTH * 4> pad;
  const auto block = static_cast<size_t>(EVP_MD_get_block_size(hash));
  if (!context || block > pad.size() || key.size() > block) return false;
  const auto digest = [&](uint8_t with, std::initializer_list<Bytes> parts) {
    std::fill_n(pad.begin(), block, with);
    for (size_t i = 0; i < key.size(); ++i)
      pad[i] ^= key[i];
    if (!EVP_DigestInit_ex2(context.get(), hash, nullptr)) return false;
    if (!EVP_DigestUpdate(context.get(), pad.data(), block)) return false;
    for (const Bytes part : parts) {
      if (!EVP_DigestUpdate(context.get(), part.data(), part.size())) return false;
    }
    return EVP_DigestFinal_ex(context.get(), out, nullptr) == 1;
  };
  std::array<uint8_t, EVP_MAX_MD_SIZE> inner;
  const auto size = static_cast<size_t>(EVP_MD_get_size(hash));
  bool done = digest(0x36, text);
  std::copy_n(out, size, inner.begin());
  done = done && digest(0x5c, {Bytes(inner).first(size)});
  // The context outlives the call: a beginning overwrites what it holds of the key and the result.
  done = done && EVP_DigestInit_ex2(context.get(), hash, nullptr) == 1;
  OPENSSL_cleanse(inner.data(), size);
  OPENSSL_cleanse(pad.data(), block);
  return done;
}

}  // namespace

const EVP_MD* sha256() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return fetched;
}

const EVP_MD* sha384() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA384", nullptr);
  return fetched;
}

bool hkdf_extract(const EVP_MD* hash, Bytes salt, Bytes secret, uint8_t* out) {
  return hmac(hash, salt, {secret}, out);
}

bool hkdf_expand_label(const EVP_MD* hash, Bytes secret, std::string_view label, Bytes context,
                       std::span<uint8_t> out) {
  constexpr std::string_view prefix = "tls13 ";
  const auto size = static_cast<size_t>(EVP_MD_get_size(hash));
  if (prefix.size() + label.size() > 255 || context.size() > 255 || out.size() > 255 * size)
    return false;
  std::array<uint8_t, 2 + 1 + 255 + 1 + 255> text;
  auto end = text.begin();
  *end++ = static_cast<uint8_t>(out.size() >> 8);
  *end++ = static_cast<uint8_t>(out.size());
  *end++ = static_cast<uint8_t>(prefix.size() + label.size());
  end = std::copy(prefix.begin(), prefix.end(), end);
  end = std::copy(label.begin(), label.end(), end);
  *end++ = static_cast<uint8_t>(context.size());
  end = std::copy(context.begin(), context.end(), end);
  const Bytes info(text.begin(), end);

  std::array<uint8_t, EVP_MAX_MD_SIZE> block;
  Bytes previous;
  bool done = true;
  for (uint8_t number = 1; done && !out.empty(); ++number) {
    done = hmac(hash, secret, {previous, info, Bytes(&number, 1)}, block.data());
    previous = Bytes(block).first(size);
    const size_t taken = std::min(size, out.size());
    std::copy_n(block.begin(), taken, out.begin());
    out = out.subspan(taken);
  }
  OPENSSL_cleanse(block.data(), block.size());
  return done;
}

}  // namespace usher::tls
