#include "proxy/stub_status.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

TEST(StubStatus, IsNginxsText) {
  EXPECT_EQ(to_text({.active = 291,
                     .accepted = 16'630'948,
                     .requests = 31'070'465,
                     .reading = 6,
                     .writing = 179}),
            "Active connections: 291 \n"
            "server accepts handled requests\n"
            " 16630948 16630948 31070465 \n"
            "Reading: 6 Writing: 179 Waiting: 106 \n");
}

TEST(StubStatus, AddsWorkersUp) {
  std::array<WorkerCounters, 2> workers;
  for (WorkerCounters& worker : workers) {
    worker.connections.add(2);
    worker.accepted.add(10);
    worker.requests.add(30);
    worker.reading.add();
    worker.exchanges.add(4);
    worker.websockets.add();
  }
  StubStatus status;
  for (const WorkerCounters& worker : workers)
    status.add(worker);
  EXPECT_EQ(to_text(status),
            "Active connections: 4 \nserver accepts handled requests\n 20 20 60 \n"
            "Reading: 2 Writing: 10 Waiting: 0 \n");
}

}  // namespace
}  // namespace usher::proxy
