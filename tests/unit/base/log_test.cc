#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"

namespace usher {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
  std::string read_all() const {
    char text[4096];
    const auto size = ::read(read_end.get(), text, sizeof text);
    return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
  }
  Fd read_end, write_end;
};

TEST(Log, WritesOneJsonObjectALine) {
  const Pipe pipe;
  const Log log(pipe.write_end.get());
  log.warning("replica \"down\"", {{"replica", "a:1"},
                                   {"count", 3},
                                   {"size", uint64_t{1} << 63},
                                   {"delta", int64_t{-5}},
                                   {"ratio", 0.5},
                                   {"up", false},
                                   {"text", std::string("x\ny")}});
  EXPECT_THAT(pipe.read_all(),
              testing::MatchesRegex("\\{\"time\":\"[-0-9T:.]+Z\",\"level\":\"warning\","
                                    "\"event\":\"replica \\\\\"down\\\\\"\",\"replica\":\"a:1\","
                                    "\"count\":3,\"size\":9223372036854775808,\"delta\":-5,"
                                    "\"ratio\":0.5,\"up\":false,\"text\":\"x\\\\ny\"\\}\n"));
}

TEST(Log, KeepsSilentBelowItsLevel) {
  const Pipe pipe;
  Log log(pipe.write_end.get(), LogLevel::warning);
  log.info("no");
  EXPECT_EQ(pipe.read_all(), "");
  log.set_least(LogLevel::debug);
  log.debug("yes");
  EXPECT_THAT(pipe.read_all(), testing::HasSubstr("\"event\":\"yes\""));
}

TEST(Log, OutlivesAReaderThatIsGone) {
  const Log log(-1);
  log.error("nobody reads this");
}

TEST(Fd, ClosesWhatItOwnsOnce) {
  Pipe pipe;
  const int raw = pipe.write_end.get();
  Fd moved = std::move(pipe.write_end);
  EXPECT_FALSE(pipe.write_end.valid());  // NOLINT: use after move is what is tested
  EXPECT_EQ(moved.get(), raw);
  moved.reset();
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
  EXPECT_FALSE(moved.valid());
  const int released = pipe.read_end.release();
  EXPECT_EQ(::fcntl(released, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  const Fd owner(released);
}

TEST(Clock, WritesRfc3339InUtc) {
  EXPECT_EQ(to_rfc3339(WallTime(std::chrono::milliseconds(1'700'000'000'007))),
            "2023-11-14T22:13:20.007Z");
  EXPECT_EQ(to_rfc3339(WallTime{}), "1970-01-01T00:00:00.000Z");
}

TEST(ManualClock, MovesBothTimesTogether) {
  ManualClock clock;
  const auto now = clock.now();
  const auto wall = clock.wall();
  clock.advance(std::chrono::seconds(5));
  EXPECT_EQ(clock.now() - now, std::chrono::seconds(5));
  EXPECT_EQ(clock.wall() - wall, std::chrono::seconds(5));
}

TEST(Random, GivesDifferentBytesEachTime) {
  EXPECT_NE(random_bytes<16>(), random_bytes<16>());
  EXPECT_NE((random_bytes<300>()), (std::array<uint8_t, 300>{}));
  EXPECT_NE(make_jitter()(), 0u);
}

TEST(Log, ALineThatFindsNoRoomIsDroppedAndNobodyWaits) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  const Log log(writer.get());
  // A test that hangs here has found the fault.
  for (int i = 0; i < 100'000; ++i)
    log.info("nobody_reads", {{"number", i}});
  char first = 0;
  ASSERT_EQ(::read(reader.get(), &first, 1), 1);
  EXPECT_EQ(first, '{');
}

// A pipe takes a page without waiting for its reader (PIPE_BUF).
TEST(Log, ALineIsNeverLongerThanAPage) {
  const Pipe pipe;
  const Log log(pipe.write_end.get());
  const std::string worst(60'000, '\xff');
  log.warning("flood",
              {{"a", worst}, {"b", worst}, {"c", worst}, {"d", worst}, {"e", worst}, {"n", 7}});
  const std::string line = pipe.read_all();
  EXPECT_LE(line.size(), 4096u);
  EXPECT_THAT(line, testing::EndsWith("...[60000 bytes]\",\"n\":7}\n"));
  EXPECT_EQ(pipe.read_all(), "");
}

}  // namespace
}  // namespace usher
