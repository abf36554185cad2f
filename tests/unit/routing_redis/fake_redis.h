// A server that speaks RESP as badly as a test wants. Lives on the client's own loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/listener.h"
#include "net/stream.h"
#include "routing/redis/resp.h"

namespace usher::routing::redis {

class FakeRedis final {
 public:
  using Words = std::vector<std::string>;
  // The bytes that answer a command; none: no answer.
  using Script = std::function<std::string(const Words&)>;

  explicit FakeRedis(net::Loop& loop)
      : loop_(loop),
        socket_(*net::Listener::bind(*SocketAddress::from_ip("127.0.0.1", 0))),
        address(net::Listener::bound_address(socket_)),
        listener_(
            loop, std::move(socket_),
            [this](Fd fd, const SocketAddress&) { accept(std::move(fd)); }, [](const Error&) {}) {}

  static std::string obedient(const Words& words) {
    if (words[0] == "GET") return "$-1\r\n";
    if (words[0] == "PEXPIRE") return ":0\r\n";
    return "+OK\r\n";
  }

  void close_all() {
    for (const auto& peer : peers_)
      peer->close();
  }
  void write_all(std::string_view bytes) {
    for (const auto& peer : peers_)
      peer->write(bytes);
  }

 private:
  class Peer final : public net::StreamHandler {
   public:
    Peer(FakeRedis& server, Fd fd)
        : server_(server),
          stream_(std::make_unique<net::Stream>(server.loop_, std::move(fd),
                                                net::make_plain_transport(), *this)) {
      stream_->start();
    }
    ~Peer() { close(); }
    void close() {
      if (!stream_) return;
      stream_->close();
      server_.loop_.bury(std::move(stream_));
    }
    void write(std::string_view bytes) {
      if (stream_) stream_->write(bytes);
    }

   private:
    void on_stream_open() override {
      if (server_.closes_at_once) close();
    }
    size_t on_stream_data(std::span<const char> data) override {
      reader_.feed(data);
      while (stream_) {
        auto command = reader_.next();
        if (!command || !*command) break;
        Words words;
        for (Reply& word : (*command)->array)
          words.push_back(std::move(word.text));
        server_.commands.push_back(words);
        write(server_.script(words));
      }
      return data.size();
    }
    void on_stream_end() override { close(); }
    void on_stream_writable() override {}
    void on_stream_error(Error) override { close(); }

    FakeRedis& server_;
    std::unique_ptr<net::Stream> stream_;
    ReplyReader reader_;
  };

  void accept(Fd fd) {
    ++connections;
    peers_.push_back(std::make_unique<Peer>(*this, std::move(fd)));
  }

  net::Loop& loop_;
  Fd socket_;

 public:
  const SocketAddress address;
  Script script = obedient;
  std::vector<Words> commands;
  int connections = 0;
  bool closes_at_once = false;

 private:
  std::vector<std::unique_ptr<Peer>> peers_;
  net::Listener listener_;
};

}  // namespace usher::routing::redis
