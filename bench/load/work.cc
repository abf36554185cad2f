#include "bench/load/work.h"

#include <array>
#include <charconv>

#include "bench/fail.h"
#include "bench/frame.h"
#include "bench/stamp.h"

namespace usher::bench {

namespace {

constexpr size_t kEchoBytes = 128;
constexpr size_t kGibibyte = 1 << 30;
constexpr size_t kWarmUpBytes = 64 << 20;

// A request, its whole response, and then it is the turn of the client that has rested longest.
class KeepAlive : public Client {
 public:
  using Client::Client;

  void start() override {
    working_ = true;
    began_ = now();
    request("GET", load_.path);
  }

 private:
  void on_bytes() override {
    auto body = take_response();
    if (!body) return;
    if (bytes_ == 0) bytes_ = body->size();
    if (body->size() != bytes_) fail("a response of another length");
    ++load_.progress;
    load_.measurement.unit(now() - began_);
    load_.resting.push_back(this);
    if (load_.finishing) return;
    Client* next = load_.resting.front();
    load_.resting.pop_front();
    next->start();
  }

  int64_t began_ = 0;
  size_t bytes_ = 0;
};

// A new connection for each request. The proxy closes it; the unit ends with that.
class PerRequest : public Client {
 public:
  using Client::Client;

  void start() override {
    working_ = true;
    began_ = now();
    connect();
  }

 private:
  void on_connected() override { request("GET", load_.path, "Connection: close\r\n"); }

  void on_bytes() override {
    if (take_response()) answered_ = true;
  }

  void on_end() override {
    if (!answered_) fail("the proxy closed a connection before the response was whole");
    answered_ = false;
    ++load_.progress;
    load_.measurement.unit(now() - began_);
    if (!load_.finishing) start();
  }

  int64_t began_ = 0;
  bool answered_ = false;
};

class Websocket : public Client {
 public:
  using Client::Client;

 protected:
  void say(std::string_view message) {
    std::string frame;
    append_message(frame, message, true);
    ++load_.relayed;
    send(frame);
  }

  virtual void on_message(std::string_view message) = 0;

 private:
  void on_bytes() override {
    size_t offset = 0;
    while (auto message = take_message(in_, offset)) {
      ++load_.relayed;
      ++load_.progress;
      on_message(*message);
    }
    in_.erase(0, offset);
  }
};

// Says something, and says the next when it has heard the answer: the same again.
class Echo : public Websocket {
 public:
  using Websocket::Websocket;

  void start() override {
    working_ = true;
    began_ = now();
    Dialogue next = compose();
    awaited_ = std::move(next.answer);
    say(next.said);
  }
  void finish() override { finishing_ = true; }

 protected:
  struct Dialogue {
    std::string said;
    std::string answer;
  };
  virtual Dialogue compose() const {
    std::string text = stamped(kEchoBytes);
    return {text, text};
  }

 private:
  std::string_view websocket_path() const override { return "/ws/echo"; }

  void on_message(std::string_view message) override {
    if (message != awaited_) fail("not the answer to what was said");
    load_.measurement.unit(now() - began_);
    if (finishing_) {
      ++load_.done;
    } else {
      start();
    }
  }

  int64_t began_ = 0;
  bool finishing_ = false;
  std::string awaited_;
};

// The same as an event of Socket.IO with an acknowledgement.
class SocketIo : public Echo {
 public:
  using Echo::Echo;

 private:
  std::string_view websocket_path() const override { return kSocketIoPath; }

  bool greeted() override {
    size_t offset = 0;
    bool connected = false;
    while (auto message = take_message(in_, offset)) {
      if (message->starts_with("0{")) say("40");
      connected = message->starts_with("40{");
    }
    in_.erase(0, offset);
    return connected;
  }

  Dialogue compose() const override {
    const std::string rest =
        stamped(kEchoBytes - kEventOpens.size() - kEventCloses.size()) + std::string(kEventCloses);
    return {std::string(kEventOpens) + rest, std::string(kAckOpens) + rest};
  }
};

// A websocket on which nothing happens.
class Idle : public Websocket {
 public:
  using Websocket::Websocket;
  void start() override { working_ = true; }

 private:
  std::string_view websocket_path() const override { return "/ws/echo"; }
  void on_message(std::string_view) override { fail("a message on an idle websocket"); }
};

// Hears what the replica sends of its own accord.
class Tokens : public Websocket {
 public:
  using Websocket::Websocket;

  void start() override {
    working_ = true;
    say("start");
  }
  void finish() override { say(kStopStream); }

 private:
  std::string_view websocket_path() const override { return "/ws/tokens"; }

  void on_message(std::string_view message) override {
    if (message == kStreamStopped) {
      ++load_.done;
      return;
    }
    if (message.size() != kTokenBytes) fail("a message of another length");
    load_.measurement.unit(now() - stamp_in(message));
  }
};

// The same as server-sent events, in whatever chunks the proxy makes of them.
class Events : public Client {
 public:
  using Client::Client;

  void start() override {
    working_ = true;
    request("GET", "/events", "Accept: text/event-stream\r\n");
  }

 private:
  void on_bytes() override {
    if (!streams_) {
      auto response = take_head(200);
      if (!response) return;
      if (response->length) fail("a stream with Content-Length");
      streams_ = true;
    }
    size_t offset = 0;
    while (take_chunk(offset)) {
    }
    in_.erase(0, offset);
    take_events();
  }

  bool take_chunk(size_t& offset) {
    size_t line_end = in_.find("\r\n", offset);
    if (line_end == std::string::npos) return false;
    size_t length = 0;
    auto [end, error] = std::from_chars(in_.data() + offset, in_.data() + line_end, length, 16);
    if (error != std::errc() || length == 0) fail("the end of a stream that has none");
    size_t chunk = line_end + 2;
    if (in_.size() < chunk + length + 2) return false;
    events_.append(in_, chunk, length);
    offset = chunk + length + 2;
    return true;
  }

  void take_events() {
    constexpr std::string_view data = "data: ";
    size_t begin = 0;
    for (size_t end; (end = events_.find("\n\n", begin)) != std::string::npos; begin = end + 2) {
      std::string_view event(events_.data() + begin, end - begin);
      if (!event.starts_with(data) || event.size() + 2 != kTokenBytes) fail("not our event");
      ++load_.progress;
      load_.measurement.unit(now() - stamp_in(event.substr(data.size())));
    }
    events_.erase(0, begin);
  }

  bool streams_ = false;
  std::string events_;
};

// One large transfer after the other: a short one first, then whole ones until the time is over.
class Bulk : public Client {
 public:
  using Client::Client;

  void start() override {
    working_ = true;
    began_work_ = now();
    transfer(kWarmUpBytes);
  }

 protected:
  void transfer_done() {
    int64_t ended = now();
    load_.measurement.unit(ended - began_);
    if (!load_.measurement.is_open()) load_.measurement.open();
    if (ended - began_work_ < static_cast<int64_t>((load_.warm_up + load_.seconds) * 1e9)) {
      return transfer(kGibibyte);
    }
    load_.measurement.close();
    ++load_.done;
  }

  virtual void begin(size_t bytes) = 0;

 private:
  void transfer(size_t bytes) {
    began_ = now();
    begin(bytes);
  }

  int64_t began_work_ = 0;
  int64_t began_ = 0;
};

class Download : public Bulk {
 public:
  using Bulk::Bulk;

 private:
  void begin(size_t bytes) override {
    left_ = bytes;
    head_is_over_ = false;
    request("GET", "/bytes/" + std::to_string(bytes));
  }

  void on_readable() override {
    if (!head_is_over_) return Client::on_readable();
    size_t count = channel_->discard(left_);
    if (count == 0 && channel_->ended()) fail("a download ended early");
    received(count);
  }

  void on_bytes() override {
    auto response = take_head(200);
    if (!response) return;
    if (response->length != left_) fail("a download of another length:\n" + response->head);
    head_is_over_ = true;
    size_t count = in_.size();
    in_.clear();
    received(count);
  }

  void received(size_t count) {
    if (count > left_) fail("a download that is too long");
    left_ -= count;
    load_.progress += count;
    if (left_ == 0) transfer_done();
  }

  size_t left_ = 0;
  bool head_is_over_ = false;
};

class Upload : public Bulk {
 public:
  using Bulk::Bulk;

 private:
  void begin(size_t bytes) override {
    bytes_ = left_ = bytes;
    request("POST", "/upload", "Content-Length: " + std::to_string(bytes) + "\r\n");
    on_writable();
    watch();
  }

  void on_writable() override {
    if (left_ == 0) return;
    size_t sent = channel_->write(load_.payload, left_);
    left_ -= sent;
    load_.progress += sent;
  }

  void on_bytes() override {
    auto body = take_response();
    if (!body) return;
    if (left_ > 0 || *body != std::to_string(bytes_))
      fail("an upload that was not whole: " + *body);
    transfer_done();
  }

  size_t bytes_ = 0;
  size_t left_ = 0;
};

template <typename Kind>
std::unique_ptr<Client> make(Load& load) {
  return std::make_unique<Kind>(load);
}

constexpr std::array kWork{
    Work{.name = "keep-alive", .make = make<KeepAlive>},
    Work{.name = "per-request", .make = make<PerRequest>},
    Work{.name = "echo", .make = make<Echo>},
    Work{.name = "socketio", .make = make<SocketIo>},
    Work{.name = "idle", .make = make<Idle>, .silent = true},
    Work{.name = "tokens", .make = make<Tokens>, .paced = true},
    Work{.name = "events", .make = make<Events>, .paced = true},
    Work{.name = "download", .make = make<Download>, .whole_units = true},
    Work{.name = "upload", .make = make<Upload>, .whole_units = true},
};

}  // namespace

const Work& work_named(std::string_view name) {
  for (const Work& work : kWork) {
    if (work.name == name) return work;
  }
  fail("no such work: " + std::string(name));
}

}  // namespace usher::bench
