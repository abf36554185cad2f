// Our client's side of TLS against our server's side: whom it believes, and whom it does not.

#include "tls/client_context.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "tests/unit/tls/certificates.h"
#include "tls/server_context.h"

namespace usher::tls {
namespace {

using net::IoStatus;

// Two ends of a socket pair, each with its transport, taken forward in turns.
class Conversation final {
 public:
  Conversation(std::unique_ptr<net::Transport> client, std::unique_ptr<net::Transport> server) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    client_ = {Fd(fds[0]), std::move(client)};
    server_ = {Fd(fds[1]), std::move(server)};
    for (int turn = 0; turn < 20 && !failed() && !open(); ++turn) {
      client_.shake_hands();
      server_.shake_hands();
    }
  }

  bool open() const { return client_.status == IoStatus::done && server_.status == IoStatus::done; }
  bool failed() const { return client_.failed() || server_.failed(); }
  // Empty when the client went on.
  std::string client_error() const {
    return client_.failed() ? client_.transport->error_text() : std::string();
  }
  // What reaches the other end of what one end writes.
  std::string to_server(std::string_view text) { return pass(client_, server_, text); }
  std::string to_client(std::string_view text) { return pass(server_, client_, text); }

 private:
  struct End {
    Fd fd;
    std::unique_ptr<net::Transport> transport;
    IoStatus status = IoStatus::again;

    bool failed() const { return status == IoStatus::error || status == IoStatus::end; }
    void shake_hands() {
      if (status != IoStatus::again) return;
      status = transport->handshake(fd.get()).status;
      if (status != IoStatus::done) return;
      if (auto successor = transport->take_successor()) transport = std::move(successor);
    }
  };

  static std::string pass(End& from, End& to, std::string_view text) {
    size_t sent = 0;
    std::string came;
    std::vector<char> into(net::Transport::smallest_read);
    for (int turn = 0; turn < 1000 && came.size() < text.size(); ++turn) {
      if (sent < text.size()) {
        const auto rest = text.substr(sent);
        sent += from.transport->write(from.fd.get(), {rest.data(), rest.size()}).bytes;
      }
      const net::IoResult read = to.transport->read(to.fd.get(), into);
      if (read.status == IoStatus::done) came.append(into.data(), read.bytes);
    }
    return came;
  }

  End client_;
  End server_;
};

class ClientOfTls : public ::testing::Test {
 protected:
  std::unique_ptr<ServerContext> serve(const PemPair& pair, std::string least = "1.2") {
    conf::TlsSettings settings;
    settings.min_version = std::move(least);
    settings.certificates = {
        {folder_.write("server.crt", pair.chain), folder_.write("server.key", pair.key)}};
    auto made = ServerContext::make(settings, *load_credentials(settings));
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  std::shared_ptr<const ClientContext> client(ClientTls settings) {
    auto made = ClientContext::make(settings);
    EXPECT_TRUE(made) << (made ? "" : made.error().detail);
    return *made;
  }
  std::shared_ptr<const ClientContext> client_of(const Authority& authority) {
    return client({.ca = folder_.write("ca.crt", authority.pem()), .chain = {}, .key = {}});
  }
  // What the client says of a server with this certificate that it calls `peer`.
  std::string verdict(const PemPair& pair, const ClientContext& context, const std::string& peer) {
    const auto server = serve(pair);
    Conversation talk(context.make_transport(peer), server->make_transport(http1_));
    if (talk.open() && talk.to_server("ping") == "ping" && talk.to_client("pong") == "pong")
      return "accepted";
    return talk.client_error();
  }

  Folder folder_;
  Authority authority_;
  AlpnProtocols http1_{{"http/1.1"}};
};

TEST_F(ClientOfTls, BelievesACertificateOfItsAuthorityForTheNameOrTheAddress) {
  const auto context = client_of(authority_);
  const PemPair pair =
      authority_.issue("DNS:redis.example,DNS:*.shard.example,IP:127.0.0.1,IP:::1");
  EXPECT_EQ(verdict(pair, *context, "redis.example"), "accepted");
  EXPECT_EQ(verdict(pair, *context, "REDIS.example."), "accepted");
  EXPECT_EQ(verdict(pair, *context, "one.shard.example"), "accepted");
  EXPECT_EQ(verdict(pair, *context, "127.0.0.1"), "accepted");
  EXPECT_EQ(verdict(pair, *context, "::1"), "accepted");
}

TEST_F(ClientOfTls, RefusesWhatIsForAnotherNameOldOrOfNobodyAndSaysWhy) {
  const auto context = client_of(authority_);
  const PemPair pair = authority_.issue("DNS:redis.example,IP:127.0.0.1");
  const std::string of = "the certificate of ";
  EXPECT_EQ(verdict(pair, *context, "other.example"),
            of + "other.example is refused: hostname mismatch");
  EXPECT_EQ(verdict(pair, *context, "a.redis.example"),
            of + "a.redis.example is refused: hostname mismatch");
  EXPECT_EQ(verdict(pair, *context, "127.0.0.2"), of + "127.0.0.2 is refused: IP address mismatch");
  // An address is not a name: it must stand in the certificate as one.
  EXPECT_EQ(verdict(authority_.issue("DNS:127.0.0.1"), *context, "127.0.0.1"),
            of + "127.0.0.1 is refused: IP address mismatch");
  EXPECT_EQ(verdict(authority_.issue("DNS:redis.example", true), *context, "redis.example"),
            of + "redis.example is refused: certificate has expired");
  EXPECT_EQ(verdict(Authority::self_signed("DNS:redis.example"), *context, "redis.example"),
            of + "redis.example is refused: self-signed certificate");
  EXPECT_EQ(verdict(Authority("Another").issue("DNS:redis.example"), *context, "redis.example"),
            of + "redis.example is refused: unable to get local issuer certificate");
  // No name at all, or one that cannot be one, leaves nothing unchecked.
  EXPECT_EQ(verdict(pair, *context, ""), of + " is refused: hostname mismatch");
  EXPECT_EQ(verdict(pair, *context, std::string("redis.example\0.evil", 19)),
            of + std::string("redis.example\0.evil", 19) + " is refused: hostname mismatch");
}

TEST_F(ClientOfTls, TrustsTheSystemsAuthoritiesWhenNoneIsNamed) {
  const auto context = client({.ca = {}, .chain = {}, .key = {}});
  EXPECT_EQ(verdict(authority_.issue("DNS:redis.example"), *context, "redis.example"),
            "the certificate of redis.example is refused: unable to get local issuer certificate");
}

TEST_F(ClientOfTls, BelievesWhoeverAnswersWhenToldSo) {
  const auto context = client({.ca = {}, .chain = {}, .key = {}, .verify = false});
  EXPECT_EQ(verdict(Authority::self_signed("DNS:a.test"), *context, "b.test"), "accepted");
}

TEST_F(ClientOfTls, CarriesMuchInBothDirectionsWithTls12AndTls13) {
  const PemPair pair = authority_.issue("DNS:redis.example");
  const auto context = client_of(authority_);
  const std::string much(3 * 1024 * 1024, 'm');
  for (const char* least : {"1.2", "1.3"}) {
    const auto server = serve(pair, least);
    Conversation talk(context->make_transport("redis.example"), server->make_transport(http1_));
    ASSERT_TRUE(talk.open()) << talk.client_error();
    EXPECT_EQ(talk.to_server(much), much);
    EXPECT_EQ(talk.to_client(much), much);
  }
}

TEST_F(ClientOfTls, NamesTheFileThatIsWrong) {
  const auto complaint = [](const ClientTls& wrong) {
    const auto made = ClientContext::make(wrong);
    return made ? std::string("accepted") : made.error().detail;
  };
  const std::string rubbish = folder_.write("rubbish", "not PEM");
  const PemPair pair = authority_.issue("DNS:a.test");
  const std::string chain = folder_.write("own.crt", pair.chain);
  const std::string key = folder_.write("own.key", pair.key);
  const std::string other = folder_.write("other.key", authority_.issue("DNS:a.test").key);
  EXPECT_EQ(complaint({.ca = "/nowhere.crt", .chain = {}, .key = {}}),
            "/nowhere.crt: cannot be read: " + why_not("/nowhere.crt", ENOENT, "read"));
  EXPECT_EQ(complaint({.ca = rubbish, .chain = {}, .key = {}}),
            rubbish + ": holds no PEM certificate");
  EXPECT_EQ(complaint({.ca = {}, .chain = chain, .key = other}),
            other + ": is not the key of " + chain);
  EXPECT_EQ(complaint({.ca = {}, .chain = chain, .key = "/nowhere.key"}),
            "/nowhere.key: cannot be read: " + why_not("/nowhere.key", ENOENT, "read"));
  EXPECT_EQ(complaint({.ca = {}, .chain = chain, .key = key}), "accepted");
}

}  // namespace
}  // namespace usher::tls
