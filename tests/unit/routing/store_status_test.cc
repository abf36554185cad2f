#include "routing/store_status.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "base/fd.h"

namespace usher::routing {
namespace {

using namespace std::chrono_literals;

class AStoreStatus : public testing::Test {
 protected:
  std::vector<std::string> log_lines() {
    std::string text(64 * 1024, '\0');
    const ssize_t size = ::pread(file_.get(), text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<size_t>(size) : 0);
    std::vector<std::string> lines;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      lines.push_back(text.substr(0, end));
      text.erase(0, end + 1);
    }
    return lines;
  }

  const Error why_{Errc::store_down, Side::store, "refused"};
  Fd file_{::memfd_create("log", 0)};
  Log log_{file_.get()};
  StoreStatus status_{log_, "redis://store:6379/0"};
};

TEST_F(AStoreStatus, LogsEachChangeOnceForAllWorkers) {
  EXPECT_EQ(status_.state(), StoreState::unknown);
  status_.on_state(StoreState::unknown, StoreState::up, nullptr);
  status_.on_state(StoreState::unknown, StoreState::up, nullptr);
  EXPECT_EQ(log_lines().size(), 1u);
  status_.on_state(StoreState::up, StoreState::down, &why_);
  EXPECT_EQ(status_.state(), StoreState::down);
  status_.on_state(StoreState::up, StoreState::down, &why_);
  EXPECT_EQ(log_lines().size(), 2u);
  status_.on_state(StoreState::down, StoreState::up, nullptr);
  EXPECT_EQ(status_.state(), StoreState::down) << "one worker is still cut off";
  status_.on_state(StoreState::down, StoreState::up, nullptr);
  EXPECT_EQ(status_.state(), StoreState::up);

  const auto lines = log_lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[0].find("\"event\":\"store_up\""), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("\"event\":\"store_down\""), std::string::npos) << lines[1];
  EXPECT_NE(lines[1].find("store_down: refused"), std::string::npos) << lines[1];
  EXPECT_NE(lines[2].find("redis://store:6379/0"), std::string::npos) << lines[2];
  EXPECT_EQ(status_.last_error(), "store_down: refused");
}

TEST_F(AStoreStatus, ForgetsAConnectionThatIsGone) {
  status_.on_state(StoreState::unknown, StoreState::up, nullptr);
  status_.on_state(StoreState::unknown, StoreState::down, &why_);
  status_.on_state(StoreState::down, StoreState::unknown, nullptr);
  EXPECT_EQ(status_.state(), StoreState::up);
  status_.on_state(StoreState::up, StoreState::unknown, nullptr);
  EXPECT_EQ(status_.state(), StoreState::unknown);
}

TEST_F(AStoreStatus, CountsCallsOfAllThreads) {
  const Error late{Errc::store_timeout, Side::store, "late"};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int call = 0; call < 100; ++call) {
        status_.on_call(nullptr, 120us);
        status_.on_call(&why_, std::nullopt);
        status_.on_call(&late, std::nullopt);
        (void)status_.last_error();
      }
    });
  }
  for (std::thread& worker : workers)
    worker.join();
  EXPECT_EQ(status_.calls(), 1200u);
  EXPECT_EQ(status_.failures(), 800u);
  EXPECT_EQ(status_.timeouts(), 400u);
  EXPECT_EQ(status_.last_round_trip(), 120us);
}

}  // namespace
}  // namespace usher::routing
