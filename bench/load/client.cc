#include "bench/load/client.h"

#include <sys/epoll.h>

#include <cstdlib>

#include "bench/fail.h"
#include "bench/frame.h"
#include "bench/head.h"

namespace usher::bench {

void Client::open() { connect(); }

void Client::connect() {
  channel_ = std::make_unique<Channel>(load_.port, load_.tls);
  announced_ = false;
  in_.clear();
  out_.clear();
  watched_ = channel_->wants();
  load_.poller.add(channel_->socket(), watched_, *this);
}

void Client::watch() {
  uint32_t wanted = channel_->wants();
  if (wanted == watched_) return;
  watched_ = wanted;
  load_.poller.change(channel_->socket(), wanted, *this);
}

void Client::on_ready(uint32_t events) {
  if (!announced_) {
    if (!channel_->establish()) return watch();
    announced_ = true;
    if (load_.cryptography.empty()) load_.cryptography = channel_->cryptography();
    if (working_) {
      on_connected();
    } else {
      request("GET", "/");
    }
    return watch();
  }
  Channel* channel = channel_.get();
  if ((events & EPOLLOUT) != 0) {
    if (!out_.empty()) out_.erase(0, channel_->write(out_));
    if (out_.empty()) on_writable();
  }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
    if (phase_ == Phase::ready && working_) {
      on_readable();
    } else {
      channel_->read(in_);
      visit();
      if (channel_->ended()) fail("the proxy closed a connection before any work");
    }
  }
  if (channel_.get() == channel) watch();
}

void Client::visit() {
  if (phase_ == Phase::visits) {
    auto head = in_;
    if (!take_response()) return;
    auto cookie = field(head, "set-cookie");
    if (cookie) cookie_ = std::string(cookie->substr(0, cookie->find(';')));
    if (websocket_path().empty()) return become_ready();
    phase_ = Phase::upgrades;
    request("GET", websocket_path(),
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: " +
                std::string(kWebsocketKey) + "\r\n");
  } else if (phase_ == Phase::upgrades) {
    auto response = take_head(101);
    if (!response) return;
    if (field(response->head, "sec-websocket-accept") != kWebsocketAccept) {
      fail("not the answer to our websocket key: " + response->head);
    }
    phase_ = Phase::greets;
    if (greeted()) become_ready();
  } else if (phase_ == Phase::greets) {
    if (greeted()) become_ready();
  } else if (!in_.empty()) {
    fail("bytes that nobody asked for: " + in_);
  }
}

void Client::become_ready() {
  phase_ = Phase::ready;
  ++load_.ready;
  ++load_.progress;
}

void Client::on_readable() {
  Channel* channel = channel_.get();
  channel->read(in_);
  if (!in_.empty()) on_bytes();
  if (channel_.get() == channel && channel->ended()) on_end();
}

void Client::on_end() { fail("the proxy closed a connection"); }

void Client::send(std::string_view bytes) {
  size_t sent = out_.empty() ? channel_->write(bytes) : 0;
  out_ += bytes.substr(sent);
  watch();
}

void Client::request(std::string_view method, std::string_view path, std::string_view fields) {
  std::string text;
  text.reserve(512);
  text.append(method).append(" ").append(path).append(" HTTP/1.1\r\nHost: bench\r\n");
  // About what a browser sends.
  text +=
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
      "Accept: */*\r\nAccept-Language: en\r\n";
  if (!cookie_.empty()) text.append("Cookie: ").append(cookie_).append("\r\n");
  text.append(fields).append("\r\n");
  send(text);
}

std::optional<Response> Client::take_head(int status) {
  size_t length = head_length(in_);
  if (length == 0) return {};
  Response response;
  response.head = in_.substr(0, length);
  response.status = std::atoi(response.head.c_str() + std::string_view("HTTP/1.1 ").size());
  if (response.status != status) fail("the proxy answered:\n" + in_);
  response.length = content_length(response.head);
  in_.erase(0, length);
  return response;
}

std::optional<std::string> Client::take_response() {
  size_t head = head_length(in_);
  if (head == 0) return {};
  auto length = content_length(std::string_view(in_).substr(0, head));
  if (!length) fail("a response without Content-Length:\n" + in_);
  if (in_.size() < head + *length) return {};
  take_head(200);
  std::string body = in_.substr(0, *length);
  in_.erase(0, *length);
  if (!in_.empty()) fail("bytes behind a response: " + in_);
  return body;
}

}  // namespace usher::bench
