#include "control/probe.h"

#include "protocol/http1_writer.h"

namespace usher::control {

Probe::Probe(net::Loop& loop, std::string authority, const SocketAddress& address,
             std::unique_ptr<net::Transport> transport, Question question, Asker& asker)
    : loop_(loop),
      authority_(std::move(authority)),
      question_(std::move(question)),
      asker_(&asker),
      deadline_(loop, *this) {
  net::StreamHandler& handler = *this;
  stream_ =
      std::make_unique<net::Stream>(loop, address, std::move(transport), handler, Side::replica);
  deadline_.start(question_.timeout);
  stream_->start();
}

Probe::~Probe() { close(); }

void Probe::close() {
  asker_ = nullptr;
  deadline_.stop();
  if (!stream_) return;
  stream_->close();
  loop_.bury(std::move(stream_));
}

void Probe::on_stream_open() {
  if (question_.connects_only) return answer({.connected = true});
  protocol::RequestHead head;
  head.method = question_.body.empty() ? "GET" : "POST";
  head.target = question_.path;
  head.authority = authority_;
  head.headers.append("User-Agent", "usher-health");
  if (!question_.body.empty()) {
    head.headers.append("Content-Type", question_.content_type);
    head.body = {protocol::BodyKind::length, question_.body.size()};
  }
  parser_.expect(head.method);
  protocol::write_request_head(stream_->tail(), head);
  stream_->tail() += question_.body;
  stream_->commit();
}

size_t Probe::on_stream_data(std::span<const char> data) {
  std::span<const char> input = data;
  while (asker_) {
    const auto event = parser_.next(input);
    if (!event) {
      break_off({.reason = to_string(event.error())});
      break;
    }
    if (event->kind == protocol::ParsedKind::need_more) break;
    handle(*event);
  }
  return data.size();
}

void Probe::handle(const protocol::Parsed& event) {
  switch (event.kind) {
    case protocol::ParsedKind::need_more: return;
    case protocol::ParsedKind::head: {
      const protocol::ResponseHead head = parser_.take_head();
      if (head.interim()) return;
      answer_.status = head.status;
      answer_.reason = "status " + std::to_string(head.status);
      if (question_.most_body == 0 && !explains_error()) answer(std::move(answer_));
      return;
    }
    case protocol::ParsedKind::data: return take(event.data);
    case protocol::ParsedKind::end: return answer(std::move(answer_));
  }
}

void Probe::take(std::span<const char> body) {
  answer_.body.append(body.data(), body.size());
  const size_t most = explains_error() ? question_.error_body : question_.most_body;
  if (answer_.body.size() > most) break_off({.reason = "too long a body"});
}

void Probe::break_off(ProbeAnswer without_response) {
  answer(explains_error() ? std::move(answer_) : std::move(without_response));
}

void Probe::on_stream_end() {
  if (answer_.status != 0 && parser_.complete_at_close()) return answer(std::move(answer_));
  break_off({.reason = "closed without a response"});
}

void Probe::on_stream_error(Error error) {
  break_off({.refused = error.code == Errc::connect_refused,
             .ours = error.code == Errc::out_of_descriptors || error.code == Errc::system,
             .reason = to_string(error)});
}

void Probe::on_deadline() { break_off({.reason = "no answer in time"}); }

void Probe::answer(ProbeAnswer answer) {
  Asker* asker = asker_;
  close();
  if (asker) asker->on_probe_answer(std::move(answer));
}

}  // namespace usher::control
