// One request to a replica or to another server of ours to ask, on a connection of its own that
// nobody else uses, and what came of it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/address.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "protocol/http1_parser.h"

namespace usher::control {

struct ProbeAnswer {
  uint16_t status = 0;     // 0: no response
  bool connected = false;  // what was asked for, if it connects_only
  std::string body{};      // as far as it was wanted
  bool refused = false;
  bool ours = false;     // the question could not be asked: nothing is known of the replica
  std::string reason{};  // why there was no response, or the status in words
};

class Probe final : public net::Mortal, private net::StreamHandler {
 public:
  class Asker {
   public:
    // Once, and never inside of the constructor.
    virtual void on_probe_answer(ProbeAnswer answer) = 0;

   protected:
    ~Asker() = default;
  };

  struct Question {
    std::string path = {};
    std::chrono::milliseconds timeout{0};
    bool connects_only = false;  // it is enough that it takes the connection
    size_t most_body = 0;        // 0: the head is enough. A longer body is no answer.
    size_t error_body = 0;  // so much of the body that comes with 5xx, as far as it comes in time
    std::string body = {};  // not empty: a POST of this
    std::string content_type = {};
  };

  // `authority` is what Host says.
  Probe(net::Loop& loop, std::string authority, const SocketAddress& address,
        std::unique_ptr<net::Transport> transport, Question question, Asker& asker);
  ~Probe() override;
  // Idempotent; nothing is answered after it.
  void close();

 private:
  void on_stream_open() override;
  size_t on_stream_data(std::span<const char> data) override;
  void on_stream_end() override;
  void on_stream_writable() override {}
  void on_stream_error(Error error) override;
  void on_deadline();
  void handle(const protocol::Parsed& event);
  void take(std::span<const char> body);
  bool explains_error() const { return answer_.status >= 500 && question_.error_body > 0; }
  // It broke off. What has come of an error's body will do.
  void break_off(ProbeAnswer without_response);
  void answer(ProbeAnswer answer);

  net::Loop& loop_;
  std::string authority_;
  Question question_;
  Asker* asker_;
  std::unique_ptr<net::Stream> stream_;
  protocol::ResponseParser parser_{protocol::HeadLimits{}};
  ProbeAnswer answer_;
  net::Timer<&Probe::on_deadline> deadline_;
};

}  // namespace usher::control
