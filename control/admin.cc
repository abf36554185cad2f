#include "control/admin.h"

#include <algorithm>

#include "net/stream.h"
#include "net/timer.h"
#include "protocol/http1_server_codec.h"
#include "proxy/own_response.h"

namespace usher::control {
namespace {

constexpr std::chrono::milliseconds idle_limit{60'000};

}  // namespace

class Admin::Connection final : public net::Mortal, private net::StreamHandler {
 public:
  Connection(Admin& admin, Fd fd, const SocketAddress& peer)
      : admin_(admin), peer_(peer), deadline_(admin.loop_, *this) {
    net::StreamHandler& handler = *this;
    stream_ = std::make_unique<net::Stream>(admin.loop_, std::move(fd), net::make_plain_transport(),
                                            handler);
    deadline_.start(idle_limit);
    stream_->start();
  }
  ~Connection() override { close(); }

  bool waits_for_answer() const { return waiting_.active(); }

  void close() {
    if (!stream_) return;
    waiting_.reset();
    stream_->close();
    admin_.loop_.bury(std::move(stream_));
    admin_.remove(*this);
  }

 private:
  void on_stream_open() override {}

  size_t on_stream_data(std::span<const char> data) override {
    deadline_.start(idle_limit);
    admin_.refresh(*this);
    std::span<const char> input = data;
    while (stream_ && !waiting_.active()) {
      auto event = codec_.next(input);
      if (!event) {
        send({row_of(event.error().code).status, "application/json", R"({"detail":"bad request"})"},
             true);
        return data.size();
      }
      switch (event->kind) {
        case protocol::ServerEventKind::need_more: return data.size();
        case protocol::ServerEventKind::request:
          request_ = codec_.take_request();
          body_.clear();
          break;
        case protocol::ServerEventKind::data:
          if (body_.size() + event->data.size() > most_body) {
            send({413, "application/json", R"({"detail":"too long a body"})"}, true);
            return data.size();
          }
          body_.append(event->data.data(), event->data.size());
          break;
        case protocol::ServerEventKind::end: answer(); break;
      }
    }
    return stream_ ? data.size() - input.size() : data.size();
  }

  // What comes meanwhile is read when this is answered.
  void answer() {
    const SocketAddress local = stream_->local_address();
    waiting_ =
        admin_.answer_({request_, body_, peer_, local}, [this](const AdminResponse& response) {
          send(response, !request_.keep_alive);
          if (stream_) stream_->resume_reading();
        });
  }

  void send(const AdminResponse& response, bool close) {
    protocol::ResponseHead head;
    head.status = response.status;
    head.reason = proxy::reason_of(response.status);
    head.headers.append("Content-Type", response.content_type);
    head.headers.append("Cache-Control", "no-store");
    head.headers.append("X-Content-Type-Options", "nosniff");
    head.headers.append("X-Frame-Options", "DENY");
    if (response.status == 401) head.headers.append("WWW-Authenticate", "Bearer");
    head.body = {protocol::BodyKind::length, response.body.size()};
    codec_.write_head(head, close, stream_->tail());
    if (request_.method != "HEAD") {
      const protocol::DataFrame frame = codec_.frame(response.body.size());
      stream_->tail()
          .append(frame.prefix)
          .append(response.body, 0, frame.take)
          .append(frame.suffix);
    }
    codec_.write_end({}, stream_->tail());
    stream_->commit();
    if (close) stream_->finish();
  }

  void on_stream_end() override { close(); }
  void on_stream_writable() override {}
  void on_stream_finished() override { close(); }
  void on_stream_error(Error) override { close(); }
  void on_deadline() { close(); }

  Admin& admin_;
  const SocketAddress peer_;
  std::unique_ptr<net::Stream> stream_;
  protocol::Http1ServerCodec codec_{{.bytes = 16 * 1024}};
  protocol::RequestHead request_;
  std::string body_;
  Pending waiting_;  // for the answer
  net::Timer<&Connection::on_deadline> deadline_;
};

size_t Admin::most_connections(uint64_t descriptors) {
  return std::clamp<size_t>(descriptors / 32, 8, 256);
}

Admin::Admin(net::Loop& loop, Fd fd, Answer answer, size_t most)
    : loop_(loop),
      answer_(std::move(answer)),
      most_(most),
      listener_(
          std::in_place, loop, std::move(fd),
          [this](Fd accepted, const SocketAddress& peer) { accept(std::move(accepted), peer); },
          [](const Error&) {}) {}

Admin::~Admin() {
  while (!connections_.empty())
    connections_.back()->close();
}

void Admin::accept(Fd fd, const SocketAddress& peer) {
  if (connections_.size() >= most_) {
    const auto oldest = std::ranges::find_if(
        connections_, [](const auto& each) { return !each->waits_for_answer(); });
    if (oldest == connections_.end()) return;
    (*oldest)->close();
  }
  connections_.push_back(std::make_unique<Connection>(*this, std::move(fd), peer));
}

void Admin::refresh(Connection& connection) {
  const auto found =
      std::ranges::find(connections_, &connection, &std::unique_ptr<Connection>::get);
  if (found != connections_.end()) connections_.splice(connections_.end(), connections_, found);
}

void Admin::remove(Connection& connection) {
  const auto found =
      std::ranges::find(connections_, &connection, &std::unique_ptr<Connection>::get);
  if (found == connections_.end()) return;
  loop_.bury(std::move(*found));
  connections_.erase(found);
}

}  // namespace usher::control
