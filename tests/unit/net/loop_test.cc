#include "net/loop.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "net/system_resolver.h"
#include "net/timer.h"

namespace usher::net {
namespace {

using std::chrono_literals::operator""ms;

TEST(Loop, LaterNeverRunsInsideTheCaller) {
  Loop loop;
  bool ran = false;
  loop.later([&] {
    ran = true;
    loop.stop();
  });
  EXPECT_FALSE(ran);
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(Loop, WorkThatAlwaysAsksForMoreDoesNotStarveTheMailbox) {
  Loop loop;
  std::function<void()> again = [&] { loop.later(again); };
  loop.later(again);
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
}

TEST(Loop, MailFromManyThreadsArrivesOnceEach) {
  Loop loop;
  constexpr int threads = 8;
  constexpr int letters = 500;
  int arrived = 0;
  std::vector<std::thread> senders;
  for (int i = 0; i < threads; ++i) {
    senders.emplace_back([&] {
      for (int letter = 0; letter < letters; ++letter) {
        loop.post([&] {
          if (++arrived == threads * letters) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (std::thread& sender : senders)
    sender.join();
  EXPECT_EQ(arrived, threads * letters);
}

TEST(Loop, TheBuriedDieAfterTheStackIsEmpty) {
  struct Body final : Mortal {
    explicit Body(bool& gone) : dead(gone) {}
    ~Body() override { dead = true; }
    bool& dead;
  };
  Loop loop;
  bool dead = false;
  loop.later([&] {
    loop.bury(std::make_unique<Body>(dead));
    EXPECT_FALSE(dead);
    loop.later([&] {
      EXPECT_TRUE(dead);
      loop.stop();
    });
  });
  loop.run();
}

class Clocked {
 public:
  explicit Clocked(Loop& loop) : loop_(loop), timer(loop, *this) {}
  int fired = 0;

 private:
  void on_time() {
    ++fired;
    loop_.stop();
  }
  Loop& loop_;

 public:
  Timer<&Clocked::on_time> timer;
};

// A private member function is named inside the class only; so the timer's type is made there.
TEST(Timer, FiresOnceAndCanBePushedOn) {
  Loop loop;
  Clocked clocked(loop);
  const auto start = std::chrono::steady_clock::now();
  clocked.timer.start(5ms);
  clocked.timer.start(60ms);
  EXPECT_TRUE(clocked.timer.running());
  loop.run();
  EXPECT_EQ(clocked.fired, 1);
  EXPECT_FALSE(clocked.timer.running());
  EXPECT_GE(std::chrono::steady_clock::now() - start, 55ms);
}

TEST(Timer, CanBePulledNearer) {
  Loop loop;
  Clocked clocked(loop);
  clocked.timer.start(std::chrono::hours(1));
  clocked.timer.start(1ms);
  loop.run();
  EXPECT_EQ(clocked.fired, 1);
}

TEST(Timer, StoppedOneStaysSilentAndMayStartAgain) {
  Loop loop;
  Clocked stopped(loop);
  Clocked other(loop);
  stopped.timer.start(1ms);
  stopped.timer.stop();
  other.timer.start(30ms);
  loop.run();
  EXPECT_EQ(stopped.fired, 0);
  stopped.timer.start(1ms);
  loop.run();
  EXPECT_EQ(stopped.fired, 1);
}

TEST(Resolver, KnowsThisMachineAndAnswersInALaterTurn) {
  Loop loop;
  SystemResolver resolver(loop);
  std::optional<std::vector<SocketAddress>> answer;
  const Pending asked =
      resolver.resolve("localhost", 80, [&](Result<std::vector<SocketAddress>> found) {
        ASSERT_TRUE(found);
        answer = *found;
        loop.stop();
      });
  EXPECT_FALSE(answer.has_value());
  loop.run();
  ASSERT_FALSE(answer->empty());
  EXPECT_EQ(answer->front().port(), 80);
}

TEST(Resolver, AnswerDiesWithTheAsker) {
  Loop loop;
  SystemResolver resolver(loop);
  bool told = false;
  {
    const Pending dropped = resolver.resolve(
        "127.0.0.1", 1, [&](const Result<std::vector<SocketAddress>>&) { told = true; });
  }
  const Pending kept = resolver.resolve(
      "127.0.0.1", 2, [&](const Result<std::vector<SocketAddress>>&) { loop.stop(); });
  loop.run();
  EXPECT_FALSE(told);
}

TEST(Resolver, AnUnknownNameIsAnError) {
  Loop loop;
  SystemResolver resolver(loop);
  std::optional<Errc> code;
  const Pending asked =
      resolver.resolve("no-such-name.invalid", 80, [&](Result<std::vector<SocketAddress>> found) {
        if (!found) code = found.error().code;
        loop.stop();
      });
  loop.run();
  EXPECT_EQ(code, Errc::not_found);
}

}  // namespace
}  // namespace usher::net
