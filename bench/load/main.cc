// usher_bench_load WORK --port N [options]: what ./dev bench puts in front of each proxy. WORK:
//   keep-alive   GET --path on open connections; --active of them have a request on its way
//   per-request  GET --path, each on a new connection
//   echo         says 128 bytes on each websocket, and again when they have come back
//   socketio     the same as an event of Socket.IO, which the replica acknowledges
//   idle         websockets on which nothing happens
//   tokens       hears a websocket on each of which the replica streams (bench/stamp.h)
//   events       the same with server-sent events
//   download     1 GiB, and again
//   upload       1 GiB, and again
// When all clients are connected it says "ready" and waits for a line on its standard input. Then
// it works for --warm-up seconds, measures for --seconds, says in one line of JSON what it has
// measured, and waits for the end of its standard input before it closes anything. Whatever goes
// wrong ends it with status 1; streams that come at another pace than the replica's do so unless
// --any-pace.
// --proxy (may be repeated) and --replica name the processes whose CPU time is measured.
#include <getopt.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "bench/fail.h"
#include "bench/load/client.h"
#include "bench/load/work.h"
#include "bench/stamp.h"

namespace usher::bench {

namespace {

struct Options {
  const Work* work = nullptr;
  uint16_t port = 0;
  bool tls = false;
  size_t connections = 1;
  size_t active = 0;  // 0: all
  bool any_pace = false;
  std::string path = "/";
  double warm_up = 0.5;
  double seconds = 1;
  std::vector<pid_t> proxy;
  std::vector<pid_t> others{::getpid()};
};

constexpr size_t kConnectingAtOnce = 64;
constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStuckAfter = 10 * kSecond;

Options parse(int count, char** arguments) {
  static constexpr std::array<option, 11> known{{{"port", required_argument, nullptr, 'p'},
                                                 {"tls", no_argument, nullptr, 't'},
                                                 {"connections", required_argument, nullptr, 'c'},
                                                 {"active", required_argument, nullptr, 'a'},
                                                 {"path", required_argument, nullptr, 'u'},
                                                 {"any-pace", no_argument, nullptr, 'y'},
                                                 {"warm-up", required_argument, nullptr, 'w'},
                                                 {"seconds", required_argument, nullptr, 's'},
                                                 {"proxy", required_argument, nullptr, 'q'},
                                                 {"replica", required_argument, nullptr, 'r'},
                                                 {nullptr, 0, nullptr, 0}}};
  Options options;
  for (int key; (key = ::getopt_long(count, arguments, "", known.data(), nullptr)) != -1;) {
    switch (key) {
      case 'p': options.port = static_cast<uint16_t>(std::atoi(optarg)); break;
      case 't': options.tls = true; break;
      case 'c': options.connections = std::strtoul(optarg, nullptr, 10); break;
      case 'a': options.active = std::strtoul(optarg, nullptr, 10); break;
      case 'u': options.path = optarg; break;
      case 'y': options.any_pace = true; break;
      case 'w': options.warm_up = std::atof(optarg); break;
      case 's': options.seconds = std::atof(optarg); break;
      case 'q': options.proxy.push_back(std::atoi(optarg)); break;
      case 'r': options.others.push_back(std::atoi(optarg)); break;
      default: fail("see the top of bench/load/main.cc");
    }
  }
  if (optind + 1 != count) fail("one kind of work, please");
  options.work = &work_named(arguments[optind]);
  if (options.active == 0) options.active = options.connections;
  if (options.port == 0 || options.connections < options.active) fail("--port, --connections");
  return options;
}

// One run: its phases in the order in which they happen.
class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        load_{.poller = {},
              .port = options.port,
              .tls = options.tls ? make_tls_context() : nullptr,
              .payload = {},
              .measurement = Measurement(options.proxy, options.others),
              .path = options.path,
              .warm_up = options.warm_up,
              .seconds = options.seconds,
              .cryptography = {},
              .resting = {}} {}

  void connect() {
    for (size_t i = 0; i < options_.connections; ++i) {
      clients_.push_back(options_.work->make(load_));
    }
    size_t opened = 0;
    until([&] {
      while (opened < clients_.size() && opened - load_.ready < kConnectingAtOnce) {
        clients_[opened++]->open();
      }
      return load_.ready == clients_.size();
    });
  }

  void work() {
    for (auto& client : clients_) {
      load_.resting.push_back(client.get());
    }
    for (size_t i = 0; i < options_.active; ++i) {
      Client* client = load_.resting.front();
      load_.resting.pop_front();
      client->start();
    }
    if (!options_.work->whole_units) {
      pass(options_.warm_up);
      load_.measurement.open();
      pass(options_.seconds);
      load_.measurement.close();
      load_.finishing = true;
      for (auto& client : clients_) {
        client->finish();
      }
    }
    until([&] { return load_.done == clients_.size(); });
    if (options_.work->paced && !options_.any_pace) check_pace();
  }

  void report() const {
    const Measurement& measured = load_.measurement;
    std::printf(
        "{\"units\": %lu, \"seconds\": %.6f, \"cpu_seconds\": %.9f, \"others_cpu_seconds\": %.9f, "
        "\"p50_us\": %.0f, \"p99_us\": %.0f, \"relayed\": %lu, \"cryptography\": \"%s\"}\n",
        measured.units(), measured.seconds(), measured.proxy_cpu_seconds(),
        measured.others_cpu_seconds(), measured.latency(0.50), measured.latency(0.99),
        load_.relayed, load_.cryptography.c_str());
    std::fflush(stdout);
  }

 private:
  // Serves the clients until something is so; fails when nothing at all gets done for long.
  template <typename Condition>
  void until(const Condition& condition) {
    int64_t moved = now();
    uint64_t progress = load_.progress;
    while (!condition()) {
      load_.poller.wait(1000);
      if (load_.progress != progress || options_.work->silent) {
        progress = load_.progress;
        moved = now();
      } else if (now() - moved > kStuckAfter) {
        fail("nothing gets done: " + std::to_string(load_.ready) + " of " +
             std::to_string(clients_.size()) + " connected, " + std::to_string(load_.done) +
             " done");
      }
    }
  }

  void pass(double seconds) {
    int64_t end = now() + static_cast<int64_t>(seconds * static_cast<double>(kSecond));
    until([&] {
      int64_t left = end - now();
      if (left > 0 && left < kSecond) load_.poller.wait(static_cast<int>(left / 1'000'000));
      return now() >= end;
    });
  }

  // A stream that does not keep its pace was not the work that is claimed.
  void check_pace() const {
    double expected = static_cast<double>(options_.connections) * load_.measurement.seconds() *
                      static_cast<double>(kSecond) / static_cast<double>(kTokenInterval);
    double share = static_cast<double>(load_.measurement.units()) / expected;
    if (share < 0.97 || share > 1.03) {
      fail(std::to_string(share) + " of the expected messages came");
    }
  }

  Options options_;
  Load load_;
  std::vector<std::unique_ptr<Client>> clients_;
};

// Reads a line; false at the end of the input.
bool wait_for_line() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) == 1) {
    if (byte == '\n') return true;
  }
  return false;
}

}  // namespace

}  // namespace usher::bench

int main(int count, char** arguments) {
  using namespace usher::bench;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::signal(SIGPIPE, SIG_IGN);
  Run run(parse(count, arguments));
  run.connect();
  std::puts("ready");
  std::fflush(stdout);
  wait_for_line();
  run.work();
  run.report();
  while (wait_for_line()) {
  }
  std::_Exit(0);  // the kernel closes thousands of connections faster than we do
}
