#include "routing/redis/inquiry.h"

#include <utility>

namespace usher::routing::redis {
namespace {

std::string format_all(const Greeting& commands) {
  std::string bytes;
  for (const std::vector<std::string>& words : commands) {
    bytes += format_command(std::vector<std::string_view>(words.begin(), words.end()));
  }
  return bytes;
}

}  // namespace

Inquiry::Inquiry(const Access& access, std::vector<conf::Endpoint> servers, Greeting greeting,
                 Greeting password)
    : server_count_(servers.size()),
      password_(std::move(password)),
      servers_(new NamedServers(access.loop, access.resolver, std::move(servers))),
      connection_(access.loop, std::unique_ptr<ServerFinder>(servers_), access.make_transport,
                  std::move(greeting), *this),
      patience_(access.loop, *this) {}

void Inquiry::use(std::vector<conf::Endpoint> servers) {
  server_count_ = servers.size();
  servers_->use(std::move(servers));
}

Pending Inquiry::ask(std::vector<std::string> words, Judge judge, Done done) {
  finished();
  question_ = format_all({std::move(words)});
  judge_ = std::move(judge);
  done_ = std::move(done);
  left_ = server_count_;
  ask_next();
  return Pending(*this);
}

void Inquiry::cancel() noexcept {
  patience_.stop();
  connection_.drop();
}

void Inquiry::ask_next() {
  --left_;
  patience_.start(patience);
  connection_.connect();
}

void Inquiry::on_connected() {
  passwords_due_ = 0;
  password_sent_ = false;
  connection_.write(question_);
}

void Inquiry::on_reply(Reply reply) {
  const Error refusal{Errc::store_error, Side::store, reply.text};
  const bool refused = reply.kind == Reply::Kind::refusal;
  if (passwords_due_ > 0 && !refused) {
    --passwords_due_;
    return;
  }
  if (refused && reply.text.starts_with("NOAUTH") && !password_.empty() && !password_sent_) {
    password_sent_ = true;
    passwords_due_ = password_.size();
    return connection_.write(format_all(password_) + question_);
  }
  if (refused) return connection_.give_up(refusal);
  Outcome judged = judge_(reply, servers_->last().host);
  if (!judged) return connection_.give_up(judged.error());
  servers_->keep_last();
  finish({});
}

void Inquiry::on_lost(const Error& why, bool) {
  last_error_ = {why.code, why.side, name_of(servers_->last()) + ": " + why.detail};
  if (left_ > 0) return ask_next();
  finish(last_error_);
}

void Inquiry::on_patience() {
  connection_.drop();
  on_lost({Errc::store_timeout, Side::store, "no answer within 1 s"}, false);
}

void Inquiry::finish(Outcome outcome) {
  patience_.stop();
  connection_.drop();
  finished();
  const Done done = std::exchange(done_, nullptr);
  done(std::move(outcome));
}

}  // namespace usher::routing::redis
