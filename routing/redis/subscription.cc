#include "routing/redis/subscription.h"

#include <array>
#include <utility>

namespace usher::routing::redis {

Subscription::Subscription(const Access& access, std::unique_ptr<ServerFinder> finder,
                           Greeting greeting, std::string_view channel, Listener& listener)
    : subscribe_(format_command(std::array<std::string_view, 2>{"SUBSCRIBE", channel})),
      listener_(listener),
      connection_(access.loop, std::move(finder), access.make_transport, std::move(greeting),
                  *this),
      ping_(access.loop, *this) {
  connection_.connect();
}

void Subscription::on_connected() { connection_.write(subscribe_); }

void Subscription::on_reply(Reply reply) {
  if (reply.kind == Reply::Kind::refusal) {
    return connection_.give_up({Errc::store_error, Side::store, std::move(reply.text)});
  }
  if (reply.array.empty()) return;
  const std::string& kind = reply.array.front().text;
  if (kind == "message" && reply.array.size() == 3) {
    return listener_.on_message(reply.array.back().text);
  }
  if (kind != "subscribe") return;
  connection_.vouch();
  missed_ = false;
  heard_ = 0;  // nothing has been asked yet
  ping_.start(ping_interval);
  listener_.on_subscribed();
}

void Subscription::on_ping_time() {
  if (!connection_.vouched()) return;
  if (connection_.heard() == heard_ && heard_ != 0) {
    return connection_.give_up({Errc::store_timeout, Side::store, "the server went silent"});
  }
  heard_ = connection_.heard();
  connection_.write(format_command(std::array<std::string_view, 1>{"PING"}));
  ping_.start(ping_interval);
}

void Subscription::on_lost(const Error& why, bool was_settled) {
  ping_.stop();
  was_settled ? connection_.connect() : connection_.connect_later();
  if (!std::exchange(missed_, true)) listener_.on_unsubscribed(why);
}

}  // namespace usher::routing::redis
