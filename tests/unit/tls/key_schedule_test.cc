// The KDF that OpenSSL is given, against OpenSSL's own and against RFC 8448 section 3.
#include "tls/key_schedule.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/strings.h"
#include "tls/handles.h"
#include "tls/hkdf.h"

namespace usher::tls {
namespace {

struct Ask {
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  std::string digest = "SHA256";
  std::optional<std::string> key, salt, data;
  std::string prefix = "tls13 ";
  std::string label = "derived";
  size_t size = 32;
};

std::string hex_of(const std::string& bytes) {
  return to_hex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

std::string of_hex(std::string_view hex) {
  std::vector<uint8_t> bytes(hex.size() / 2);
  EXPECT_EQ(from_hex(hex, bytes), bytes.size());
  return {bytes.begin(), bytes.end()};
}

// As libssl asks: everything with the derivation. Nothing if it is refused.
std::optional<std::string> derived(const char* provider, Ask ask) {
  key_schedule_properties();
  const std::unique_ptr<EVP_KDF, FreeWith<EVP_KDF_free>> kdf(
      EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, provider));
  const std::unique_ptr<EVP_KDF_CTX, FreeWith<EVP_KDF_CTX_free>> context(
      EVP_KDF_CTX_new(kdf.get()));
  std::vector<OSSL_PARAM> parameters{
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &ask.mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, ask.digest.data(), 0)};
  const auto add = [&](const char* name, std::string& value) {
    parameters.push_back(OSSL_PARAM_construct_octet_string(name, value.data(), value.size()));
  };
  if (ask.key) add(OSSL_KDF_PARAM_KEY, *ask.key);
  if (ask.salt) add(OSSL_KDF_PARAM_SALT, *ask.salt);
  if (ask.data) add(OSSL_KDF_PARAM_DATA, *ask.data);
  add(OSSL_KDF_PARAM_PREFIX, ask.prefix);
  add(OSSL_KDF_PARAM_LABEL, ask.label);
  parameters.push_back(OSSL_PARAM_construct_end());
  std::string out(ask.size, '\0');
  const int done = EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()),
                                  out.size(), parameters.data());
  ERR_clear_error();
  if (done != 1) return std::nullopt;
  return out;
}

std::optional<std::string> ours(const Ask& ask) { return derived("provider=usher", ask); }
std::optional<std::string> theirs(const Ask& ask) { return derived("provider=default", ask); }

TEST(KeySchedule, FollowsTheTraceOfRfc8448) {
  const Ask nothing{.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .key = {}, .salt = {}, .data = {}};
  const auto early = ours(nothing);
  ASSERT_TRUE(early);
  EXPECT_EQ(hex_of(*early), "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
  Ask shared = nothing;
  shared.salt = early;
  shared.key = of_hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
  const auto handshake = ours(shared);
  ASSERT_TRUE(handshake);
  EXPECT_EQ(hex_of(*handshake), "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
}

TEST(KeySchedule, IsOpenSslsForWhateverLibsslAsks) {
  std::mt19937 chance(7);
  const auto bytes = [&](size_t most) {
    std::string made(chance() % (most + 1), '\0');
    for (char& each : made)
      each = static_cast<char>(chance());
    return made;
  };
  for (int turn = 0; turn < 3000; ++turn) {
    Ask ask{.key = {}, .salt = {}, .data = {}};
    const bool big = chance() % 2 == 0;
    ask.digest = big ? "SHA384" : "SHA2-256";
    const size_t hash = big ? 48 : 32;
    if (chance() % 2 == 0) {
      ask.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
      ask.size = hash;
      if (chance() % 4 != 0) ask.key = bytes(200) + "k";
      if (chance() % 4 != 0) ask.salt = std::string(hash, static_cast<char>(chance()));
    } else {
      ask.key = std::string(hash, static_cast<char>(chance()));
      if (chance() % 4 != 0) ask.data = bytes(200) + "d";
      ask.label = bytes(200) + "l";
      ask.size = 1 + chance() % 300;
    }
    const auto expected = theirs(ask);
    ASSERT_TRUE(expected) << turn;
    ASSERT_EQ(ours(ask), expected) << turn;
  }
}

TEST(KeySchedule, RefusesWhatItDoesNotKnow) {
  const Ask good{.key = std::string(32, 'k'), .salt = {}, .data = {}};
  ASSERT_TRUE(ours(good));
  const auto refuses = [&](auto change) {
    Ask changed = good;
    change(changed);
    EXPECT_FALSE(ours(changed));
  };
  refuses([](Ask& ask) { ask.digest = "SHA1"; });
  refuses([](Ask& ask) { ask.prefix = "dtls13"; });
  refuses([](Ask& ask) { ask.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND; });
  refuses([](Ask& ask) { ask.label = std::string(250, 'l'); });
  refuses([](Ask& ask) { ask.data = std::string(256, 'd'); });
  refuses([](Ask& ask) { ask.size = 255 * 32 + 1; });
  refuses([](Ask& ask) { ask.key = std::string(65, 'k'); });
  refuses([](Ask& ask) {
    ask.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    ask.size = 31;
  });
}

TEST(KeySchedule, TellsTheTrafficSecretsOfWhoAsksInThisThread) {
  const AlpnProtocols none({});
  HandshakeNotes notes{.alpn = none, .client_secret = {}, .server_secret = {}};
  Ask ask{.key = std::string(48, 'k'), .salt = {}, .data = {}};
  ask.digest = "SHA384";
  ask.size = 48;
  ask.label = "s ap traffic";
  const auto before = ours(ask);
  EXPECT_EQ(notes.server_secret.size, 0U);
  {
    const SecretsGoTo here(notes);
    EXPECT_EQ(ours(ask), before);
    ask.label = "c hs traffic";
    ours(ask);
  }
  const auto kept = notes.server_secret.view();
  EXPECT_EQ(std::string(kept.begin(), kept.end()), before);
  EXPECT_EQ(notes.client_secret.size, 0U);
}

}  // namespace
}  // namespace usher::tls
