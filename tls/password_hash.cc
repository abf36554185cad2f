#include "tls/password_hash.h"

#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "base/strings.h"
#include "tls/handles.h"

namespace usher::tls {
namespace {

constexpr std::string_view plain = "{PLAIN}";
constexpr std::string_view sha = "{SHA}";
constexpr std::string_view salted_sha = "{SSHA}";
constexpr std::string_view apr1_mark = "$apr1$";
constexpr size_t longest_apr1_salt = 8;
constexpr size_t apr1_text = 22;

using Md5 = std::array<unsigned char, 16>;

// Only a broken OpenSSL has no MD5.
class Md5Hasher final {
 public:
  Md5Hasher() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) != 1) std::abort();
  }
  Md5Hasher& add(std::string_view text) {
    if (EVP_DigestUpdate(context_.get(), text.data(), text.size()) != 1) std::abort();
    return *this;
  }
  Md5Hasher& add(const Md5& digest, size_t bytes = Md5{}.size()) {
    return add({reinterpret_cast<const char*>(digest.data()), bytes});
  }
  Md5 finish() {
    Md5 digest{};
    if (EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1) std::abort();
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context_;
};

std::string_view salt_of_apr1(std::string_view hash) {
  hash.remove_prefix(apr1_mark.size());
  return cut(hash, '$').first.substr(0, longest_apr1_salt);
}

bool matches_sha(std::string_view encoded, std::string_view password) {
  const auto kept = from_base64(encoded);
  if (!kept || kept->size() < SHA_DIGEST_LENGTH) return false;
  const std::string text = std::string(password) + kept->substr(SHA_DIGEST_LENGTH);
  unsigned char digest[SHA_DIGEST_LENGTH];
  ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return equals_in_constant_time({reinterpret_cast<const char*>(digest), sizeof digest},
                                 std::string_view(*kept).substr(0, sizeof digest));
}

}  // namespace

bool is_known_hash(const std::string& hash) {
  const auto digest_size = [&](std::string_view mark) {
    const auto kept = from_base64(std::string_view(hash).substr(mark.size()));
    return kept ? kept->size() : 0;
  };
  if (hash.starts_with(plain)) return true;
  if (hash.starts_with(sha)) return digest_size(sha) == SHA_DIGEST_LENGTH;
  if (hash.starts_with(salted_sha)) return digest_size(salted_sha) >= SHA_DIGEST_LENGTH;
  if (hash.starts_with(apr1_mark)) {
    const auto digest = cut(std::string_view(hash).substr(apr1_mark.size()), '$').second;
    return digest && digest->size() == apr1_text;
  }
  // The oldest kind has no mark: any text of its length may be one.
  constexpr size_t des_text = 13;
  const bool has_mark = hash.starts_with('$') || hash.starts_with('_');
  if (!has_mark && hash.size() != des_text) return false;
  const int verdict = ::crypt_checksalt(hash.c_str());
  return verdict == CRYPT_SALT_OK || verdict == CRYPT_SALT_METHOD_LEGACY ||
         verdict == CRYPT_SALT_TOO_CHEAP;
}

bool matches(const std::string& hash, std::string_view password) {
  if (password.size() > longest_password) return false;
  const std::string_view text = hash;
  if (text.starts_with(plain)) return equals_in_constant_time(text.substr(plain.size()), password);
  if (text.starts_with(sha)) {
    return is_known_hash(hash) && matches_sha(text.substr(sha.size()), password);
  }
  if (text.starts_with(salted_sha)) return matches_sha(text.substr(salted_sha.size()), password);
  if (text.starts_with(apr1_mark))
    return equals_in_constant_time(apr1(password, salt_of_apr1(text)), text);
  // 32 KiB: not on a stack.
  const auto room = std::make_unique<crypt_data>();
  const std::string phrase(password);
  const char* made = ::crypt_r(phrase.c_str(), hash.c_str(), room.get());
  return made && made[0] != '*' && equals_in_constant_time(made, text);
}

// As Poul-Henning Kamp's MD5 crypt with another mark.
std::string apr1(std::string_view password, std::string_view salt) {
  salt = salt.substr(0, longest_apr1_salt);
  const Md5 inner = Md5Hasher().add(password).add(salt).add(password).finish();
  Md5Hasher first;
  first.add(password).add(apr1_mark).add(salt);
  for (size_t left = password.size(); left > 0;) {
    const size_t bytes = std::min(left, inner.size());
    first.add(inner, bytes);
    left -= bytes;
  }
  for (size_t bits = password.size(); bits > 0; bits >>= 1)
    first.add((bits & 1) != 0 ? std::string_view("\0", 1) : password.substr(0, 1));
  Md5 digest = first.finish();
  for (int round = 0; round < 1000; ++round) {
    const bool odd = round % 2 == 1;
    Md5Hasher hasher;
    odd ? hasher.add(password) : hasher.add(digest);
    if (round % 3 != 0) hasher.add(salt);
    if (round % 7 != 0) hasher.add(password);
    odd ? hasher.add(digest) : hasher.add(password);
    digest = hasher.finish();
  }
  constexpr std::string_view letters =
      "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string made = std::string(apr1_mark).append(salt).append("$");
  const auto write = [&](unsigned bits, int characters) {
    for (; characters > 0; --characters, bits >>= 6)
      made += letters[bits & 63];
  };
  for (size_t i = 0; i < 5; ++i) {
    const size_t last = i == 4 ? 5 : i + 12;
    write(unsigned{digest[i]} << 16 | unsigned{digest[i + 6]} << 8 | digest[last], 4);
  }
  write(digest[11], 2);
  return made;
}

}  // namespace usher::tls
