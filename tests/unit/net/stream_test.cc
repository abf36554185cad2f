// Streams over real loopback sockets on a real loop. Nothing sleeps: every test runs its loop until
// a condition holds, or fails at a deadline.

#include "net/stream.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "net/listener.h"
#include "net/timer.h"

namespace usher::net {
namespace {

class Recorder final : public StreamHandler {
 public:
  bool opened = false;
  bool ended = false;
  bool finished = false;
  int writable = 0;
  int hangups = 0;
  std::string received;
  std::optional<Error> error;
  size_t take_at_most = SIZE_MAX;
  std::function<void()> on_data = [] {};

 private:
  void on_stream_open() override { opened = true; }
  size_t on_stream_data(std::span<const char> data) override {
    const size_t taken = std::min(data.size(), take_at_most);
    received.append(data.data(), taken);
    on_data();
    return taken;
  }
  void on_stream_end() override { ended = true; }
  void on_stream_writable() override { ++writable; }
  void on_stream_finished() override { finished = true; }
  void on_stream_hangup() override { ++hangups; }
  void on_stream_error(Error failure) override { error = std::move(failure); }
};

class StreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto bound = Listener::bind(*SocketAddress::from_ip("127.0.0.1", 0));
    ASSERT_TRUE(bound);
    address_ = Listener::bound_address(*bound);
    listener_.emplace(
        loop_, std::move(*bound),
        [this](Fd fd, const SocketAddress&) { accepted_ = std::move(fd); }, [](const Error&) {});
  }

  // A connected pair: `near_` is accepted, `far_` has connected.
  void connect(std::unique_ptr<Transport> far_transport = make_plain_transport()) {
    far_ = std::make_unique<Stream>(loop_, address_, std::move(far_transport), far_saw_,
                                    Side::replica);
    far_->start();
    until([this] { return far_saw_.opened && accepted_.valid(); });
    near_ =
        std::make_unique<Stream>(loop_, std::move(accepted_), make_plain_transport(), near_saw_);
    near_->start();
    until([this] { return near_saw_.opened; });
  }

  void until(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition never held";
      turn();
    }
  }
  // At least one turn of the loop.
  void turn() {
    loop_.later([this] { loop_.stop(); });
    loop_.run();
  }

  Loop loop_;
  SocketAddress address_;
  std::optional<Listener> listener_;
  Fd accepted_;
  Recorder near_saw_;
  Recorder far_saw_;
  std::unique_ptr<Stream> near_;
  std::unique_ptr<Stream> far_;
};

TEST_F(StreamTest, CarriesBytesBothWays) {
  connect();
  near_->write(std::string_view("hello"));
  far_->write(std::string_view("world"));
  until([this] { return far_saw_.received == "hello" && near_saw_.received == "world"; });
  EXPECT_EQ(near_->bytes_in(), 5u);
  EXPECT_EQ(near_->bytes_out(), 5u);
}

TEST_F(StreamTest, NeverCallsBackInsideACall) {
  connect();
  far_->close();
  until([this] { return near_saw_.ended; });
  // The peer is gone: this write meets a RST sooner or later, but says so only in a later turn.
  for (int i = 0; i < 3 && !near_saw_.error; ++i) {
    const bool before = near_saw_.error.has_value();
    near_->write(std::string(64 * 1024, 'x'));
    EXPECT_EQ(near_saw_.error.has_value(), before);
    turn();
  }
  until([this] { return near_saw_.error.has_value(); });
  EXPECT_EQ(near_saw_.error->code, Errc::client_gone);
}

TEST_F(StreamTest, WhatOneTurnWritesLeavesInOnePiece) {
  connect();
  int deliveries = 0;
  far_saw_.on_data = [&] { ++deliveries; };
  for (int i = 0; i < 100; ++i)
    near_->write(std::string_view("0123456789"));
  until([this] { return far_saw_.received.size() == 1000; });
  EXPECT_EQ(deliveries, 1);
}

TEST_F(StreamTest, KeepsTheOrderOfSmallAndLargePieces) {
  connect();
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(i % 3 == 0 ? 40'000 : 7, static_cast<char>('a' + i % 26));
    sent += piece;
    near_->write(piece);
    if (i % 10 == 0) turn();
  }
  until([&] { return far_saw_.received.size() == sent.size(); });
  EXPECT_EQ(far_saw_.received, sent);
}

TEST_F(StreamTest, TellsWhenAFullQueueHasRoomAgain) {
  connect();
  far_->pause_reading();
  const std::string piece(32 * 1024, 'x');
  size_t sent = 0;
  while (!near_->above_high_mark()) {
    near_->write(piece);
    sent += piece.size();
    turn();
    ASSERT_LT(sent, size_t{256} << 20) << "the queue never filled";
  }
  EXPECT_EQ(near_saw_.writable, 0);
  far_->resume_reading();
  until([&] { return far_saw_.received.size() == sent; });
  EXPECT_EQ(near_saw_.writable, 1);
  EXPECT_EQ(near_->queued(), 0u);
}

TEST_F(StreamTest, OffersWhatWasNotTakenAgain) {
  connect();
  far_saw_.take_at_most = 3;
  near_->write(std::string_view("abcdefgh"));
  until([this] { return far_saw_.received == "abc"; });
  EXPECT_FALSE(far_->reading());
  near_->write(std::string_view("ij"));
  far_->resume_reading();
  until([this] { return far_saw_.received == "abcdef"; });
  EXPECT_FALSE(far_->reading());
  far_->resume_reading();
  until([this] { return far_saw_.received == "abcdefghij"; });
}

TEST_F(StreamTest, AResumeFromInsideADeliveryIsNotLost) {
  connect();
  far_saw_.take_at_most = 1;
  far_saw_.on_data = [this] { far_->resume_reading(); };
  near_->write(std::string_view("abcdefgh"));
  until([this] { return far_saw_.received == "abcdefgh"; });
}

TEST_F(StreamTest, WhatWasNotTakenComesBeforeWhatFollowsIt) {
  connect();
  std::string sent;
  while (sent.size() < 300'000)
    sent.append(std::to_string(sent.size())).append(" ");
  far_saw_.take_at_most = 5000;
  far_saw_.on_data = [this] { far_->resume_reading(); };
  near_->write(sent);
  near_->finish();
  until([this] { return far_saw_.ended; });
  EXPECT_TRUE(far_saw_.received == sent) << far_saw_.received.size() << " of " << sent.size();
}

TEST_F(StreamTest, WhatWasNotTakenComesBeforeAReset) {
  connect();
  far_saw_.take_at_most = 3;
  far_saw_.on_data = [this] {
    EXPECT_FALSE(far_saw_.ended);
    far_->resume_reading();
  };
  near_->pause_reading();
  far_->write(std::string_view("unread, so that closing is a reset"));
  until([this] { return far_->bytes_out() > 0; });
  near_->write(std::string(32 * 1024, 'x'));
  near_->close();
  until([this] { return far_saw_.error.has_value() || far_saw_.ended; });
  EXPECT_EQ(far_saw_.received.size(), 32u * 1024);
}

TEST_F(StreamTest, HalfCloseLeavesTheOtherDirectionOpen) {
  connect();
  near_->write(std::string_view("last words"));
  near_->finish();
  until([this] { return far_saw_.ended && near_saw_.finished; });
  EXPECT_EQ(far_saw_.received, "last words");
  far_->write(std::string_view("answer"));
  until([this] { return near_saw_.received == "answer"; });
}

TEST_F(StreamTest, DataAndEndInOneWakeUpAreBothSeen) {
  connect();
  far_->pause_reading();
  near_->write(std::string_view("data"));
  near_->finish();
  until([this] { return near_saw_.finished; });
  turn();
  far_->resume_reading();
  until([this] { return far_saw_.ended; });
  EXPECT_EQ(far_saw_.received, "data");
}

TEST_F(StreamTest, TellsOfAPeerThatLeavesWhileReadingIsPaused) {
  connect();
  far_->pause_reading();
  near_->write(std::string_view("unread"));
  near_->finish();
  until([this] { return far_saw_.hangups > 0; });
  EXPECT_EQ(far_saw_.received, "");
}

TEST_F(StreamTest, AnAnswerThatCameBeforeAHangUpIsReadThoughWritingIsBroken) {
  connect();
  near_->pause_reading();
  far_->write(std::string(100'000, 'x'));
  turn();
  far_->pause_reading();
  near_->write(std::string_view("413 too large"));
  until([this] { return near_->bytes_out() > 0; });
  near_->close();  // with unread bytes: the kernel sends a RST
  // The far end goes on writing into the reset, and only then reads.
  for (int i = 0; i < 5; ++i) {
    far_->write(std::string(64 * 1024, 'x'));
    turn();
  }
  far_->resume_reading();
  until([this] { return far_saw_.error.has_value(); });
  EXPECT_EQ(far_saw_.received, "413 too large");
  EXPECT_EQ(far_saw_.error->code, Errc::replica_closed);
}

TEST_F(StreamTest, AClientsLastWordsAreReadThoughWritingIsBrokenIfTheyAreWanted) {
  for (const bool wanted : {false, true}) {
    near_saw_ = far_saw_ = Recorder();
    connect();
    if (wanted) near_->deliver_before_failing();
    near_->pause_reading();
    far_->write(std::string_view("last words"));
    until([this] { return far_->bytes_out() > 0; });
    far_->abort();
    near_->write(std::string(64 * 1024, 'x'));  // meets the reset
    EXPECT_EQ(near_->broken(), wanted);
    near_->resume_reading();
    until([this] { return near_saw_.error.has_value(); });
    EXPECT_EQ(near_saw_.received, wanted ? "last words" : "");
    EXPECT_EQ(near_saw_.error->code, Errc::client_gone);
  }
}

TEST_F(StreamTest, AbortIsAResetForThePeer) {
  connect();
  near_->abort();
  until([this] { return far_saw_.error.has_value(); });
  EXPECT_EQ(far_saw_.error->code, Errc::replica_closed);
  EXPECT_FALSE(far_saw_.ended);
}

// Keeps all that it reads to itself, as TLS keeps the part of a record.
class Hoarder final : public Transport {
 public:
  IoResult handshake(int fd) override { return plain_->handshake(fd); }
  IoResult read(int fd, std::span<char> into) override {
    const IoResult result = plain_->read(fd, into);
    return result.status == IoStatus::done ? IoResult{IoStatus::again} : result;
  }
  IoResult write(int fd, std::span<const char> from) override { return plain_->write(fd, from); }
  IoResult finish(int fd) override { return plain_->finish(fd); }
  bool has_buffered() const override { return false; }
  std::string error_text() const override { return plain_->error_text(); }

 private:
  std::unique_ptr<Transport> plain_ = make_plain_transport();
};

TEST_F(StreamTest, AnEndBehindThePartOfARecordIsSeen) {
  connect(std::make_unique<Hoarder>());
  // Large enough to leave at once: part and end meet in one wake-up.
  near_->write(std::string(32 * 1024, 'x'));
  near_->close();
  until([this] { return far_saw_.ended; });
}

TEST_F(StreamTest, DataAndResetInOneWakeUpAreBothSeen) {
  connect();
  // Large enough to leave at once: the far end's loop turns only when both are there.
  near_->write(std::string(32 * 1024, 'x'));
  near_->abort();
  until([this] { return far_saw_.error.has_value(); });
  EXPECT_EQ(far_saw_.received.size(), 32u * 1024);
  EXPECT_EQ(far_saw_.error->code, Errc::replica_closed);
  EXPECT_FALSE(far_saw_.ended);
}

TEST_F(StreamTest, WhatAReplicaSentBeforeItsResetWaitsForAPausedReader) {
  connect();
  far_->pause_reading();
  near_->write(std::string(32 * 1024, 'x'));
  near_->abort();
  for (int i = 0; i < 10; ++i)
    turn();
  EXPECT_FALSE(far_saw_.error.has_value());
  far_->resume_reading();
  until([this] { return far_saw_.error.has_value(); });
  EXPECT_EQ(far_saw_.received.size(), 32u * 1024);
  EXPECT_FALSE(far_saw_.ended);
}

TEST_F(StreamTest, AClientsResetIsToldThoughReadingIsPaused) {
  connect();
  near_->pause_reading();
  far_->write(std::string(32 * 1024, 'x'));
  far_->abort();
  until([this] { return near_saw_.error.has_value(); });
  EXPECT_EQ(near_saw_.error->code, Errc::client_gone);
  EXPECT_EQ(near_saw_.received, "");
}

TEST_F(StreamTest, AResetBehindAnEndIsTold) {
  connect();
  near_->write(std::string_view("last words"));
  near_->finish();
  until([this] { return far_saw_.ended; });
  near_->abort();
  until([this] { return far_saw_.error.has_value(); });
  EXPECT_EQ(far_saw_.error->code, Errc::replica_closed);
}

TEST_F(StreamTest, RefusedConnectsSaySo) {
  listener_.reset();
  far_ = std::make_unique<Stream>(loop_, address_, make_plain_transport(), far_saw_, Side::replica);
  far_->start();
  EXPECT_FALSE(far_saw_.error.has_value());
  until([this] { return far_saw_.error.has_value(); });
  EXPECT_EQ(far_saw_.error->code, Errc::connect_refused);
}

TEST_F(StreamTest, AUnixSocketThatIsNotThereIsARefusal) {
  far_ = std::make_unique<Stream>(loop_, *SocketAddress::from_unix_path("/nonexistent/x.sock"),
                                  make_plain_transport(), far_saw_, Side::replica);
  far_->start();
  until([this] { return far_saw_.error.has_value(); });
  EXPECT_EQ(far_saw_.error->code, Errc::connect_refused);
}

TEST_F(StreamTest, CloseIsFinal) {
  connect();
  near_->close();
  near_->close();
  near_->write(std::string_view("nobody hears this"));
  near_->finish();
  near_->resume_reading();
  until([this] { return far_saw_.ended; });
  EXPECT_EQ(far_saw_.received, "");
  EXPECT_FALSE(near_saw_.error.has_value());
  EXPECT_FALSE(near_saw_.finished);
}

// How many epolls of this process have that descriptor (proc(5), "fdinfo").
int epolls_with(int fd) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream lines(entry.path());
    for (std::string word; lines >> word;) {
      int number = -1;
      if (word == "tfd:" && lines >> number && number == fd) ++found;
    }
  }
  return found;
}

// As by a process that has been forked and has not called execve() yet.
TEST_F(StreamTest, AClosedStreamIsNotReportedThoughItsSocketIsHeldElsewhere) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  const Fd held(::dup(pair[0]));
  Fd peer(pair[1]);
  auto stream = std::make_unique<Stream>(loop_, Fd(pair[0]), make_plain_transport(), near_saw_);
  stream->start();
  until([this] { return near_saw_.opened; });
  EXPECT_EQ(epolls_with(pair[0]), 2);
  stream.reset();
  EXPECT_EQ(epolls_with(pair[0]), 0);
  peer.reset();
  turn();
}

TEST_F(StreamTest, ABusyStreamDoesNotStarveTheLoop) {
  connect();
  // The far end always has something to read: what it gets makes the near end send more.
  const std::string piece(64 * 1024, 'x');
  far_saw_.on_data = [&] {
    far_saw_.received.clear();
    if (near_->queued() < Stream::high_mark) near_->write(piece);
  };
  near_->write(piece);
  int ticks = 0;
  for (int i = 0; i < 50; ++i) {
    turn();
    ++ticks;
  }
  EXPECT_EQ(ticks, 50);
}

}  // namespace
}  // namespace usher::net
