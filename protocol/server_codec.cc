#include "protocol/server_codec.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "protocol/http1_parser.h"
#include "protocol/http1_writer.h"

namespace usher::protocol {
namespace {

// One request at a time: the next one is not looked at before this one has been answered, so that a
// client that pipelines waits in its own socket.
class Http1ServerCodec final : public ServerCodec {
 public:
  explicit Http1ServerCodec(HeadLimits limits) : parser_(limits) {}

  Result<ServerEvent> next(std::span<const char>& input) override {
    const bool between = receiving_ == Progress::ended;
    if (failed_ || (between && (closing_ || answering_ != Progress::ended))) {
      return event(ServerEventKind::need_more);
    }

    auto parsed = parser_.next(input);
    if (!parsed) {
      failed_ = closing_ = true;
      if (!in_exchange()) begin_exchange();
      return std::move(parsed).error();
    }
    switch (parsed->kind) {
      case ParsedKind::need_more: break;
      case ParsedKind::head:
        request_ = parser_.take_head();
        begin_exchange();
        head_request_ = request_.method == "HEAD";
        http10_client_ = request_.minor_version == 0;
        keep_alive_ = request_.keep_alive;
        return event(ServerEventKind::request);
      case ParsedKind::data: return event(ServerEventKind::data, parsed->data);
      case ParsedKind::end: receiving_ = Progress::ended; return event(ServerEventKind::end);
    }
    return event(ServerEventKind::need_more);
  }

  StreamId error_stream() const override { return stream_; }
  RequestHead take_request(StreamId) override { return std::move(request_); }
  Headers take_trailers(StreamId) override { return parser_.take_trailers(); }

  void write_head(StreamId, const ResponseHead& head, bool close, std::string& out) override {
    if (head.interim()) {
      // RFC 9110 section 15.2: HTTP/1.0 knows no interim responses.
      if (!http10_client_) write_response_head(out, head, {});
      return;
    }
    ResponseOptions options{.http10_client = http10_client_, .upgrade = head.status == 101};
    framing_ = response_framing(head.body, http10_client_);
    const bool says_nothing = framing_.kind == BodyKind::none && !head.announced_length;
    const bool has_no_body = head_request_ || head.status == 204 || head.status == 304;
    options.empty_body = says_nothing && !has_no_body;
    closing_ |= close || !keep_alive_ || framing_.kind == BodyKind::until_close;
    options.close = closing_;
    write_response_head(out, head, options);
    left_ = framing_.kind == BodyKind::length && !head_request_ ? framing_.length : 0;
  }

  DataFrame frame(StreamId, size_t available) override {
    if (available == 0) return {};
    if (framing_.kind == BodyKind::length) {
      const auto take = static_cast<size_t>(std::min<uint64_t>(left_, available));
      left_ -= take;
      return {.prefix = {}, .take = take, .suffix = {}};
    }
    if (framing_.kind != BodyKind::chunked) return {.prefix = {}, .take = available, .suffix = {}};
    auto* const end = std::to_chars(prefix_.data(), prefix_.data() + 16, available, 16).ptr;
    end[0] = '\r';
    end[1] = '\n';
    const auto size = static_cast<size_t>(end + 2 - prefix_.data());
    return {.prefix = {prefix_.data(), size}, .take = available, .suffix = chunk_suffix};
  }

  void write_end(StreamId, const Headers& trailers, std::string& out) override {
    if (framing_.kind == BodyKind::chunked && !head_request_) write_last_chunk(out, trailers);
    answering_ = Progress::ended;
    // A body that came out short can only end with the connection.
    closing_ |= left_ > 0;
  }

  bool ends_at_close() const override {
    return answering_ != Progress::ended && framing_.kind == BodyKind::until_close;
  }
  bool reusable() const override { return !closing_ && !in_exchange(); }
  bool idle() const override { return !in_exchange() && parser_.between_messages(); }
  std::string_view name() const override { return "h1"; }

 private:
  enum class Progress : uint8_t { running, ended };

  ServerEvent event(ServerEventKind kind, std::span<const char> data = {}) const {
    return {kind, stream_, data};
  }

  bool in_exchange() const {
    return receiving_ != Progress::ended || answering_ != Progress::ended;
  }

  void begin_exchange() {
    ++stream_;
    receiving_ = answering_ = Progress::running;
    framing_ = {};
    left_ = 0;
    head_request_ = http10_client_ = false;
    keep_alive_ = true;
  }

  RequestParser parser_;
  RequestHead request_;
  StreamId stream_ = 0;
  Progress receiving_ = Progress::ended;
  Progress answering_ = Progress::ended;
  bool head_request_ = false;
  bool http10_client_ = false;
  bool keep_alive_ = true;
  bool closing_ = false;  // no other request will be read
  bool failed_ = false;
  BodyFraming framing_;  // of the response, as the client gets it
  uint64_t left_ = 0;
  std::array<char, 18> prefix_;
};

}  // namespace

std::unique_ptr<ServerCodec> make_http1_server_codec(HeadLimits limits) {
  return std::make_unique<Http1ServerCodec>(limits);
}

}  // namespace usher::protocol
