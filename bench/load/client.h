// One client of the proxy. It connects, visits once (GET /) as a browser that has been here before,
// so that it has its affinity cookie if the proxy gives one, upgrades to a websocket if its work
// needs one, and is then ready. Its work (bench/load/work.cc) is a subclass.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/channel.h"
#include "bench/load/measurement.h"
#include "bench/payload.h"
#include "bench/poller.h"

namespace usher::bench {

class Client;

// What the clients share.
struct Load {
  Poller poller;
  uint16_t port = 0;
  SSL_CTX* tls = nullptr;
  Payload payload;
  Measurement measurement;
  std::string path;    // of the requests, where the work allows several
  double warm_up = 0;  // seconds
  double seconds = 0;  // to measure
  std::string cryptography;
  size_t ready = 0;  // clients
  size_t done = 0;   // clients, after finish()
  bool finishing = false;
  uint64_t relayed = 0;         // websocket messages, in both directions, since the work began
  uint64_t progress = 0;        // anything that was done; a load without any is stuck
  std::deque<Client*> resting;  // ready, without a request on its way
};

// The head of a response.
struct Response {
  int status = 0;
  std::string head;
  std::optional<size_t> length;
};

class Client : public Handler {
 public:
  explicit Client(Load& load) : load_(load) {}

  // Connects and visits, until it counts as ready.
  void open();
  // Its work begins; only when ready.
  virtual void start() = 0;
  // No new work; counts as done once nothing is on its way.
  virtual void finish() { ++load_.done; }

  void on_ready(uint32_t events) final;

 protected:
  // Not empty: a websocket is opened there before the client is ready.
  virtual std::string_view websocket_path() const { return {}; }
  // Called after the 101 and whenever something came: is what must be said first on that websocket
  // said?
  virtual bool greeted() { return true; }
  // After start():
  virtual void on_connected() {}
  virtual void on_readable();  // reads into in_ and calls on_bytes
  virtual void on_bytes() = 0;
  virtual void on_writable() {}
  virtual void on_end();

  void connect();
  // Waits for what the channel wants now; after each write that on_ready did not begin.
  void watch();
  void send(std::string_view bytes);
  void request(std::string_view method, std::string_view path, std::string_view fields = {});
  // The head at the beginning of in_, removed from there; fails unless its status is the wanted
  // one.
  std::optional<Response> take_head(int status);
  // A whole response with a body of known length, removed from in_; fails unless 200. Gives the
  // body.
  std::optional<std::string> take_response();

  Load& load_;
  std::unique_ptr<Channel> channel_;
  std::string in_;
  bool working_ = false;

 private:
  void visit();
  void become_ready();

  enum class Phase : uint8_t { visits, upgrades, greets, ready } phase_ = Phase::visits;
  bool announced_ = false;  // that the channel is established
  uint32_t watched_ = 0;
  std::string out_;
  std::string cookie_;
};

}  // namespace usher::bench
