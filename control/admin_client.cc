#include "control/admin_client.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/strings.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/system_resolver.h"
#include "net/timer.h"
#include "protocol/http1_parser.h"
#include "protocol/http1_writer.h"

namespace usher::control {
namespace {

constexpr std::chrono::milliseconds limit{10'000};
constexpr size_t most_body = 16 * 1024 * 1024;

// One request on a loop that runs for nothing else.
class Call final : private net::StreamHandler {
 public:
  Call(const SocketAddress& address, std::string authority, std::string token,
       std::string_view method, std::string_view path, std::string_view body)
      : authority_(std::move(authority)),
        token_(std::move(token)),
        method_(method),
        path_(path),
        body_(body),
        deadline_(loop_, *this) {
    net::StreamHandler& handler = *this;
    stream_ = std::make_unique<net::Stream>(loop_, address, net::make_plain_transport(), handler,
                                            Side::usher);
  }

  Result<AdminAnswer> run() {
    deadline_.start(limit);
    stream_->start();
    loop_.run();
    if (error_) return *error_;
    return answer_;
  }

 private:
  void on_stream_open() override {
    protocol::RequestHead head;
    head.method = method_;
    head.target = path_;
    head.authority = authority_;
    head.headers.append("X-Usher-Admin", "1");
    if (!token_.empty()) head.headers.append("Authorization", "Bearer " + token_);
    if (method_ != "GET") head.body = {protocol::BodyKind::length, body_.size()};
    parser_.expect(method_);
    protocol::write_request_head(stream_->tail(), head);
    stream_->tail() += body_;
    stream_->commit();
  }

  size_t on_stream_data(std::span<const char> data) override {
    std::span<const char> input = data;
    while (true) {
      const auto event = parser_.next(input);
      if (!event) return fail(event.error()), data.size();
      switch (event->kind) {
        case protocol::ParsedKind::need_more: return data.size();
        case protocol::ParsedKind::head: answer_.status = parser_.take_head().status; break;
        case protocol::ParsedKind::data:
          answer_.body.append(event->data.data(), event->data.size());
          if (answer_.body.size() > most_body)
            return fail({Errc::system, Side::usher, "too long an answer"}), 0;
          break;
        case protocol::ParsedKind::end: loop_.stop(); return data.size();
      }
    }
  }

  void on_stream_end() override { fail({Errc::system, Side::usher, "the connection was closed"}); }
  void on_stream_writable() override {}
  void on_stream_error(Error error) override { fail(std::move(error)); }
  void on_deadline() { fail({Errc::system, Side::usher, "no answer"}); }

  void fail(Error error) {
    if (!error_) error_ = std::move(error);
    loop_.stop();
  }

  net::Loop loop_;
  std::string authority_;
  std::string token_;
  std::string method_;
  std::string path_;
  std::string body_;
  std::unique_ptr<net::Stream> stream_;
  protocol::ResponseParser parser_{protocol::HeadLimits{}};
  net::Timer<&Call::on_deadline> deadline_;
  AdminAnswer answer_;
  std::optional<Error> error_;
};

// Every column has something, so that a script can count them.
std::string text_or_dash(const nlohmann::json& of, const char* key) {
  const std::string text = of.value(key, "");
  return text.empty() ? "-" : text;
}

}  // namespace

Result<AdminAnswer> ask_admin(const std::string& url, const std::string& token,
                              std::string_view method, std::string_view path,
                              std::string_view body) {
  constexpr std::string_view unix_scheme = "unix:";
  if (url.starts_with(unix_scheme)) {
    const auto address = SocketAddress::from_unix_path(url.substr(unix_scheme.size()));
    if (!address) return Error{Errc::bad_config, Side::usher, url + ": expected unix:/path"};
    return Call(*address, "localhost", token, method, path, body).run();
  }
  std::string_view authority = url;
  if (authority.starts_with("http://")) authority.remove_prefix(7);
  authority = authority.substr(0, authority.find('/'));
  const size_t colon = authority.rfind(':');
  const auto port = colon == std::string_view::npos
                        ? std::nullopt
                        : parse_decimal<uint16_t>(authority.substr(colon + 1));
  if (!port)
    return Error{Errc::bad_config, Side::usher, url + ": expected http://host:port or unix:/path"};
  std::string host(authority.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto addresses = net::SystemResolver::resolve_now(host, *port);
  if (!addresses) return addresses.error();
  return Call(addresses->front(), std::string(authority), token, method, path, body).run();
}

std::string as_segment(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string segment;
  for (const char c : text) {
    const char lower = static_cast<char>(c | 0x20);
    const bool plain = is_digit(c) || (lower >= 'a' && lower <= 'z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      segment += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      segment.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return segment;
}

std::string refusal_in(std::string_view body) {
  const auto said = nlohmann::json::parse(body, nullptr, false);
  if (!said.is_object() || !said.contains("detail") || !said["detail"].is_string())
    return std::string(body);
  return said["detail"];
}

Result<std::string> status_table(std::string_view text) {
  const auto status = nlohmann::json::parse(text, nullptr, false);
  if (!status.is_object() || !status.contains("upstreams")) {
    return Error{Errc::system, Side::usher, "that is no status of usher's"};
  }
  std::string table = "node " + status.value("node", "") + ", version " +
                      status.value("version", "") + ", up " +
                      std::to_string(status.value("uptime_seconds", 0)) + " s" +
                      (status.value("draining", false) ? ", draining" : "") + "\n";
  if (status.contains("connections")) {
    table += std::to_string(status.value("connections", 0ul)) + " connections, " +
             std::to_string(status.value("websockets", 0ul)) + " websockets\n";
  }
  if (status.contains("open_files")) {
    const auto& files = status["open_files"];
    table += "open files at most " + std::to_string(files.value("limit", 0ul)) + ", so at most " +
             std::to_string(files.value("connections", 0ul)) + " connections\n";
  }
  if (status.contains("listen")) {
    for (const auto& each : status["listen"])
      table += "listen " + each.value("url", "") + ", " +
               std::to_string(each.value("connections", 0ul)) + " connections\n";
  }
  if (status.contains("certificates")) {
    for (const auto& each : status["certificates"])
      table += "certificate " + each.value("certificate", "") + ", until " +
               each.value("not_after", "") + "\n";
  }
  if (status.contains("certificates_unusable")) {
    for (const auto& each : status["certificates_unusable"])
      table += "ERROR: certificate " + each.value("certificate", "") +
               " cannot be used: " + each.value("reason", "") +
               "\n       shown instead: " + each.value("shown_instead", "") + "\n";
  }
  table += "store " + status["store"].value("url", "") + ", " + status["store"].value("state", "") +
           "\n";
  for (const auto& upstream : status["upstreams"]) {
    table += "\nupstream " + upstream.value("name", "");
    if (upstream.contains("migrate_rate")) {
      table += ", moves at most " + std::to_string(upstream.value("migrate_rate", 0u)) +
               " websockets a second to one replica";
    }
    table += "\n";
    if (upstream.value("panic", false)) {
      table +=
          "  panic: most are not ready, so it is something that they share; they stay in use\n";
    }
    if (upstream.contains("unresolved")) {
      for (const auto& each : upstream["unresolved"])
        table +=
            "  " + each.value("name", "") + " does not resolve: " + each.value("reason", "") + "\n";
    }
    if (upstream["replicas"].empty()) {
      table += "  no replica is known\n";
      continue;
    }
    char line[512];
    std::snprintf(line, sizeof line, "  %-28s %-15s %9s %7s %11s %6s %9s  %-12s %s\n", "replica",
                  "state", "in flight", "queued", "websockets", "moved", "sessions", "version",
                  "name");
    table += line;
    for (const auto& replica : upstream["replicas"]) {
      std::string state = replica.value("state", "");
      if (replica.contains("drain_seconds_left")) {
        state += " " + std::to_string(replica.value("drain_seconds_left", 0ul)) + "s";
      }
      if (replica.value("backup", false)) state += ", backup";
      std::snprintf(line, sizeof line, "  %-28s %-15s %9u %7u %11u %6lu %9lu  %-12.64s %.253s\n",
                    replica.value("id", "").c_str(), state.c_str(), replica.value("in_flight", 0u),
                    replica.value("queued", 0u), replica.value("websockets", 0u),
                    replica.value("websockets_moved", 0ul), replica.value("sessions", 0ul),
                    text_or_dash(replica, "version").c_str(),
                    text_or_dash(replica, replica.contains("host") ? "host" : "name").c_str());
      table += line;
      if (const std::string reason = replica.value("reason", ""); !reason.empty())
        table += "    " + reason + "\n";
    }
  }
  return table;
}

}  // namespace usher::control
