#include "routing/redis/connection.h"

#include <algorithm>
#include <utility>

namespace usher::routing::redis {

Connection::Connection(net::Loop& loop, std::unique_ptr<ServerFinder> finder,
                       MakeTransport make_transport, Greeting greeting, Owner& owner)
    : loop_(loop),
      finder_(std::move(finder)),
      make_transport_(std::move(make_transport)),
      greeting_(std::move(greeting)),
      owner_(owner) {
  finder_->when_moved([this] {
    if (vouched()) give_up({Errc::store_down, Side::store, "another server has taken its place"});
  });
}

void Connection::connect() {
  drop();
  state_ = State::looking;
  // No deadline: a name server that is away must not make a queue of questions at the resolver.
  finding_ = finder_->find([this](Result<std::vector<ServerAddress>> found) {
    servers_.clear();
    next_server_ = 0;
    if (!found) return give_up({Errc::store_down, Side::store, found.error().detail});
    if (found->empty()) return give_up({Errc::store_down, Side::store, "its name has no address"});
    servers_ = std::move(*found);
    connect_next();
  });
}

void Connection::connect_later() {
  const auto most = rest_time_.count();
  rest_.start(Duration(std::uniform_int_distribution<Duration::rep>(most / 2, most)(jitter_)));
  rest_time_ = std::min(2 * rest_time_, most_rest);
}

void Connection::connect_next() {
  state_ = State::connecting;
  const ServerAddress& server = servers_[next_server_++];
  reader_.emplace();
  opening_.start(opening_time);
  stream_ = std::make_unique<net::Stream>(loop_, server.address, make_transport_(server.host),
                                          static_cast<net::StreamHandler&>(*this), Side::store);
  stream_->start();
}

void Connection::on_stream_open() {
  state_ = State::greeting;
  greetings_due_ = greeting_.size();
  for (const std::vector<std::string>& words : greeting_) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    write(format_command(views));
  }
  if (greetings_due_ > 0) return;
  state_ = State::connected;
  owner_.on_connected();
}

void Connection::on_greeted(const Reply& reply) {
  if (reply.kind == Reply::Kind::refusal) {
    return give_up({Errc::store_error, Side::store, reply.text});
  }
  if (--greetings_due_ > 0) return;
  state_ = State::connected;
  owner_.on_connected();
}

void Connection::vouch() {
  if (state_ != State::connected) return;
  state_ = State::vouched;
  vouched_at_ = loop_.now();
  opening_.stop();
}

void Connection::give_up(const Error& why) {
  const bool another = state_ != State::vouched && next_server_ < servers_.size();
  const bool was_settled = vouched() && loop_.now() - vouched_at_ >= settled;
  drop();
  if (was_settled) rest_time_ = least_rest;
  another ? connect_next() : owner_.on_lost(why, was_settled);
}

void Connection::drop() {
  opening_.stop();
  rest_.stop();
  finding_.reset();
  state_ = State::none;
  reader_.reset();
  if (!stream_) return;
  stream_->close();
  loop_.bury(std::move(stream_));
}

void Connection::on_opening_time() {
  give_up({Errc::store_timeout, Side::store, "no connection within 2 s"});
}

size_t Connection::on_stream_data(std::span<const char> data) {
  heard_ += data.size();
  reader_->feed(data);
  // A reply may cost the connection, and the reader with it.
  while (reader_) {
    Result<std::optional<Reply>> reply = reader_->next();
    if (!reply) {
      give_up(reply.error());
      break;
    }
    if (!*reply) break;
    state_ == State::greeting ? on_greeted(**reply) : owner_.on_reply(std::move(**reply));
  }
  return data.size();
}

void Connection::on_stream_end() {
  give_up({Errc::store_down, Side::store, "the server closed the connection"});
}

void Connection::on_stream_error(Error error) {
  give_up({Errc::store_down, Side::store, to_string(error)});
}

}  // namespace usher::routing::redis
