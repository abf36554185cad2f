// TLS 1.3 after the handshake: against OpenSSL's own client, and record by record.

#include "tls/tls13_transport.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <thread>

#include "base/fd.h"
#include "tls/alpn.h"
#include "tls/self_signed.h"
#include "tls/server_context.h"

namespace usher::tls {
namespace {

using net::IoResult;
using net::IoStatus;

struct SocketPair {
  SocketPair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ours = Fd(fds[0]);
    theirs = Fd(fds[1]);
  }
  Fd ours, theirs;
};

void unblock(const Fd& fd) {
  const timeval soon{0, 1000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
}

std::string pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

// --- Against OpenSSL -----------------------------------------------------------------------------

class AgainstOpenSsl : public ::testing::TestWithParam<const char*> {
 protected:
  // Runs `client` with a connected SSL in a thread of its own, and hands our transport to `server`.
  void talk(
      const std::function<void(SSL*)>& client,
      const std::function<void(net::Transport&, int fd)>& server,
      const std::function<void()>& before_the_last_step = [] {}) {
    const auto pair = make_self_signed(std::chrono::system_clock::now());
    ASSERT_TRUE(pair);
    const auto context = ServerContext::make({}, {*Credential::parse(*pair, "", "")});
    ASSERT_TRUE(context);
    SocketPair sockets;
    std::promise<void> first_step;
    std::shared_future<void> first_step_made = first_step.get_future().share();
    std::thread peer([&] {
      const SslContextPtr settings(SSL_CTX_new(TLS_client_method()));
      SSL_CTX_set_ciphersuites(settings.get(), GetParam());
      SSL_CTX_set_msg_callback(settings.get(), &wait_with_the_answer);
      SSL_CTX_set_msg_callback_arg(settings.get(), &first_step_made);
      const SslPtr ssl(SSL_new(settings.get()));
      SSL_set_fd(ssl.get(), sockets.theirs.get());
      if (SSL_connect(ssl.get()) == 1) client(ssl.get());
      ::shutdown(sockets.theirs.get(), SHUT_WR);
    });
    const AlpnProtocols alpn({"http/1.1"});
    auto transport = (*context)->make_transport(alpn);
    unblock(sockets.ours);
    pollfd hello{sockets.ours.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&hello, 1, 10'000), 1);
    IoResult result = transport->handshake(sockets.ours.get());
    EXPECT_EQ(result.status, IoStatus::again);
    first_step.set_value();
    before_the_last_step();
    while (result.status == IoStatus::again)
      result = transport->handshake(sockets.ours.get());
    EXPECT_EQ(result.status, IoStatus::done);
    auto successor = transport->take_successor();
    EXPECT_TRUE(successor) << "still OpenSSL's";
    if (successor) server(*successor, sockets.ours.get());
    peer.join();
  }

  // Keeps the client's second flight back until the server has done all that it can with the first.
  static void wait_with_the_answer(int written, int, int type, const void*, size_t, SSL*,
                                   void* first_step_made) {
    if (written || type != SSL3_RT_HANDSHAKE) return;
    static_cast<const std::shared_future<void>*>(first_step_made)->wait();
  }

  static std::string read_some(net::Transport& transport, int fd, IoResult& result) {
    std::string into(64 * 1024, '\0');
    do
      result = transport.read(fd, into);
    while (result.status == IoStatus::again);
    into.resize(result.status == IoStatus::done ? result.bytes : 0);
    return into;
  }

  static void write_all(net::Transport& transport, int fd, std::string_view text) {
    while (!text.empty()) {
      const IoResult result = transport.write(fd, text);
      ASSERT_NE(result.status, IoStatus::error) << transport.error_text();
      if (result.status == IoStatus::done) text.remove_prefix(result.bytes);
    }
  }
};

TEST_P(AgainstOpenSsl, CarriesMuchBothWaysThroughKeyUpdates) {
  const std::string text = pattern(1 << 20);
  std::string echoed;
  talk(
      [&](SSL* ssl) {
        size_t piece = 1;
        for (size_t at = 0; at < text.size(); at += piece, piece = piece * 3 % 40'001) {
          piece = std::min(piece, text.size() - at);
          ASSERT_EQ(SSL_write(ssl, text.data() + at, static_cast<int>(piece)),
                    static_cast<int>(piece));
          std::string back(piece, '\0');
          for (size_t got = 0; got < piece;) {
            const int read = SSL_read(ssl, back.data() + got, static_cast<int>(piece - got));
            ASSERT_GT(read, 0);
            got += static_cast<size_t>(read);
          }
          echoed += back;
          if (at % 3 == 0) SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
          if (at % 5 == 0) SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        }
        SSL_do_handshake(ssl);  // an update that no write has sent yet
        SSL_shutdown(ssl);
      },
      [&](net::Transport& transport, int fd) {
        IoResult result{IoStatus::done};
        while (true) {
          const std::string got = read_some(transport, fd, result);
          if (result.status != IoStatus::done) break;
          write_all(transport, fd, got);
        }
        EXPECT_EQ(result.status, IoStatus::end) << transport.error_text();
      });
  EXPECT_EQ(echoed.size(), text.size());
  EXPECT_TRUE(echoed == text);
}

TEST_P(AgainstOpenSsl, TakesWhatCameTogetherWithTheEndOfTheHandshake) {
  std::promise<void> written;
  talk(
      [&](SSL* ssl) {
        ASSERT_EQ(SSL_write(ssl, "early", 5), 5);
        written.set_value();
        char byte = 0;
        EXPECT_EQ(SSL_read(ssl, &byte, 1), 1);
        EXPECT_EQ(byte, 'k');
      },
      [&](net::Transport& transport, int fd) {
        EXPECT_TRUE(transport.has_buffered());
        IoResult result{IoStatus::done};
        EXPECT_EQ(read_some(transport, fd, result), "early");
        write_all(transport, fd, "k");
        // Its end came without close_notify.
        read_some(transport, fd, result);
        EXPECT_EQ(result.status, IoStatus::error);
        EXPECT_EQ(transport.error_text(), "the connection was closed without close_notify");
      },
      [&] { written.get_future().wait(); });
}

TEST_P(AgainstOpenSsl, ReadsWhatCameThoughSendingFails) {
  talk(
      [](SSL* ssl) {
        ASSERT_EQ(SSL_write(ssl, "last words", 10), 10);
        ::shutdown(SSL_get_fd(ssl), SHUT_RDWR);
      },
      [](net::Transport& transport, int fd) {
        IoResult result;
        do
          result = transport.write(fd, std::string_view("too late"));
        while (result.status != IoStatus::error);
        EXPECT_EQ(transport.error_text(), "Broken pipe");
        EXPECT_EQ(read_some(transport, fd, result), "last words");
      });
}

TEST_P(AgainstOpenSsl, SaysCloseNotify) {
  talk(
      [](SSL* ssl) {
        char byte = 0;
        EXPECT_EQ(SSL_read(ssl, &byte, 1), 0);
        EXPECT_EQ(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
      },
      [](net::Transport& transport, int fd) {
        EXPECT_EQ(transport.finish(fd).status, IoStatus::done);
      });
}

INSTANTIATE_TEST_SUITE_P(Suites, AgainstOpenSsl,
                         ::testing::Values("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                           "TLS_CHACHA20_POLY1305_SHA256"));

// --- Record by record
// -----------------------------------------------------------------------------

TrafficSecret secret(char fill) {
  TrafficSecret made;
  made.size = 32;
  made.bytes.fill(static_cast<uint8_t>(fill));
  return made;
}

constexpr uint16_t suite = 0x1301;
using Use = RecordProtection::Use;

class Records : public ::testing::Test {
 protected:
  Records() {
    unblock(sockets_.ours);
    unblock(sockets_.theirs);
  }

  std::string seal(ContentType type, std::string_view content) {
    std::string record(content.size() + record_overhead, '\0');
    client_.seal(type, content, record.data());
    return record;
  }
  void send(std::string_view bytes) {
    ASSERT_EQ(::send(sockets_.theirs.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  IoResult read() {
    const IoResult result = transport_->read(sockets_.ours.get(), into_);
    got_ = result.status == IoStatus::done ? into_.substr(0, result.bytes) : "";
    return result;
  }
  // What the transport says, one record, opened.
  std::pair<ContentType, std::string> heard() {
    std::string record(record_header_size, '\0');
    EXPECT_EQ(::recv(sockets_.theirs.get(), record.data(), record.size(), MSG_WAITALL), 5);
    record.resize(record_header_size +
                  (static_cast<size_t>(static_cast<uint8_t>(record[3])) << 8 | uint8_t(record[4])));
    EXPECT_GT(::recv(sockets_.theirs.get(), record.data() + 5, record.size() - 5, MSG_WAITALL), 0);
    std::string content(record.size(), '\0');
    const auto opened = server_.open(record, content.data());
    EXPECT_TRUE(opened);
    if (!opened) return {};
    return {opened->type, content.substr(0, opened->size)};
  }
  void expect_refusal(uint8_t alert) {
    IoResult result{IoStatus::done};
    while (result.status == IoStatus::done)
      result = read();
    EXPECT_EQ(result.status, IoStatus::error);
    EXPECT_NE(transport_->error_text(), "");
    const auto [type, content] = heard();
    EXPECT_EQ(type, ContentType::alert);
    EXPECT_EQ(content, (std::string{2, static_cast<char>(alert)}));
  }

  SocketPair sockets_;
  RecordProtection client_ = *RecordProtection::make(suite, secret('c'), Use::sealing, 0);
  RecordProtection server_ = *RecordProtection::make(suite, secret('s'), Use::opening, 0);
  std::unique_ptr<net::Transport> transport_ =
      make_tls13_transport({.sealing = *RecordProtection::make(suite, secret('s'), Use::sealing, 0),
                            .opening = *RecordProtection::make(suite, secret('c'), Use::opening, 0),
                            .received = {},
                            .protocol = "http/1.1"});
  std::string into_ = std::string(net::Transport::smallest_read, '\0');
  std::string got_;
};

const std::string update_not_requested{"\x18\0\0\1\0", 5};
const std::string update_requested{"\x18\0\0\1\1", 5};

TEST_F(Records, AreOpenedHoweverTheyAreCut) {
  std::string bytes;
  for (const std::string& content : {std::string("one"), std::string(), pattern(16 * 1024)})
    bytes += seal(ContentType::application_data, content);
  std::string all;
  for (const char byte : bytes) {
    send({&byte, 1});
    const IoResult result = read();
    ASSERT_TRUE(result.status == IoStatus::done || result.status == IoStatus::again);
    all += got_;
  }
  EXPECT_EQ(all, "one" + pattern(16 * 1024));
}

TEST_F(Records, PaddingIsTakenOff) {
  // Content, type and padding are sealed together: a record of type "0" whose content ends in them.
  std::string content = "padded";
  content += static_cast<char>(ContentType::application_data);
  content += std::string(99, '\0');
  send(seal(ContentType{0}, content));
  EXPECT_EQ(read().status, IoStatus::done);
  EXPECT_EQ(got_, "padded");
}

TEST_F(Records, KeyUpdatesAreFollowedAndAnsweredBeforeTheNextData) {
  send(seal(ContentType::handshake, update_requested));
  client_.update();
  send(seal(ContentType::application_data, "new key"));
  EXPECT_EQ(read().status, IoStatus::done);
  EXPECT_EQ(got_, "new key");
  EXPECT_EQ(transport_->write(sockets_.ours.get(), std::string_view("answer")).bytes, 6u);
  EXPECT_EQ(heard(), std::pair(ContentType::handshake, update_not_requested));
  server_.update();
  EXPECT_EQ(heard(), std::pair(ContentType::application_data, std::string("answer")));
}

TEST_F(Records, AKeyUpdateMayComeInPieces) {
  for (const char byte : update_not_requested)
    send(seal(ContentType::handshake, {&byte, 1}));
  client_.update();
  send(seal(ContentType::application_data, "x"));
  EXPECT_EQ(read().bytes, 1u);
}

TEST_F(Records, AForgedRecordEndsTheConnection) {
  std::string record = seal(ContentType::application_data, "text");
  record.back() = static_cast<char>(record.back() ^ 1);
  send(seal(ContentType::application_data, "before"));
  // The forged one has its place in the sequence.
  send(record);
  expect_refusal(20);
}

TEST_F(Records, ARecordThatCameBeforeIsNotTakenTwice) {
  const std::string record = seal(ContentType::application_data, "text");
  send(record + record);
  expect_refusal(20);
}

TEST_F(Records, WhatIsNotProtectedIsRefused) {
  send(std::string{"\x15\3\3\0\2\1\0", 7});
  expect_refusal(10);
}

TEST_F(Records, ARecordThatIsTooLongIsRefusedByItsHeader) {
  send(std::string{"\x17\3\3\x41\x01", 5});
  expect_refusal(22);
}

TEST_F(Records, ARecordThatHoldsTooMuchIsRefused) {
  send(seal(ContentType::application_data, pattern(16 * 1024 + 1)));
  expect_refusal(22);
}

TEST_F(Records, PaddingCountsToWhatARecordHolds) {
  // The content's type and 2^14 zeros or one less behind it (RFC 8446 section 5.4).
  const std::string type(1, static_cast<char>(ContentType::application_data));
  send(seal(ContentType::invalid, "x" + type + std::string(16 * 1024 - 2, '\0')));
  EXPECT_EQ(read().status, IoStatus::done);
  EXPECT_EQ(got_, "x");
  send(seal(ContentType::invalid, "x" + type + std::string(16 * 1024 - 1, '\0')));
  expect_refusal(22);
}

TEST_F(Records, ARecordWithoutATypeIsRefused) {
  send(seal(ContentType::application_data, "before"));
  send(seal(ContentType::invalid, std::string(9, '\0')));
  expect_refusal(10);
}

TEST_F(Records, ARecordOfAnUnknownTypeIsRefused) {
  send(seal(static_cast<ContentType>(24), "x"));
  expect_refusal(10);
}

TEST_F(Records, EmptyRecordsWithoutEndAreRefused) {
  for (int i = 0; i < 33; ++i)
    send(seal(ContentType::application_data, ""));
  expect_refusal(10);
}

struct Refused {
  std::string message;
  uint8_t alert;
};

class HandshakeRecords : public Records, public ::testing::WithParamInterface<Refused> {};

TEST_P(HandshakeRecords, NoOtherMessageIsTaken) {
  send(seal(ContentType::handshake, GetParam().message));
  expect_refusal(GetParam().alert);
}

INSTANTIATE_TEST_SUITE_P(
    Messages, HandshakeRecords,
    ::testing::Values(Refused{{"\x18\0\0\1\2", 5}, 47},    // no such request: section 4.6.3
                      Refused{{"\x18\0\0\1\xff", 5}, 47},  // the same
                      Refused{{"\x18\0\0\2\0\0", 6}, 50},  // too long
                      Refused{{"\1\0\0\0", 4}, 10},        // ClientHello
                      Refused{update_not_requested + update_not_requested, 10}, Refused{{}, 10}));

TEST_F(Records, AnAlertEndsTheConnection) {
  send(seal(ContentType::application_data, "last words"));
  send(seal(ContentType::alert, std::string{"\2\x28", 2}));
  EXPECT_EQ(read().status, IoStatus::done);
  EXPECT_EQ(got_, "last words");
  EXPECT_EQ(read().status, IoStatus::error);
  EXPECT_EQ(transport_->error_text(), "the peer sent TLS alert 40");
}

TEST_F(Records, WhatFollowsCloseNotifyIsNotRead) {
  send(seal(ContentType::application_data, "last"));
  send(seal(ContentType::alert, std::string{"\1\0", 2}));
  send(seal(ContentType::application_data, "too late"));
  EXPECT_EQ(read().status, IoStatus::done);
  EXPECT_EQ(got_, "last");
  EXPECT_EQ(read().status, IoStatus::end);
  EXPECT_EQ(read().status, IoStatus::end);
}

TEST_F(Records, AFullSocketIsWaitedFor) {
  const std::string text = pattern(3 << 20);
  std::string opened;
  std::string_view rest = text;
  bool met_a_full_socket = false;
  while (opened.size() < text.size()) {
    if (!rest.empty()) {
      const IoResult result = transport_->write(sockets_.ours.get(), rest);
      ASSERT_NE(result.status, IoStatus::error);
      if (result.status == IoStatus::done) rest.remove_prefix(result.bytes);
      met_a_full_socket |= result.status == IoStatus::again;
      if (result.status == IoStatus::done && !rest.empty()) continue;
    }
    opened += heard().second;
  }
  EXPECT_TRUE(met_a_full_socket);
  EXPECT_TRUE(opened == text);
}

}  // namespace
}  // namespace usher::tls
