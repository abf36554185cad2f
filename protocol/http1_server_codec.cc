#include "protocol/http1_server_codec.h"

#include <algorithm>
#include <charconv>

#include "protocol/chunked.h"
#include "protocol/http1_writer.h"

namespace usher::protocol {

Result<ServerEvent> Http1ServerCodec::next(std::span<const char>& input) {
  const bool between = receiving_ == Progress::ended;
  if (failed_ || (between && (closing_ || answering_ != Progress::ended))) return ServerEvent{};

  if (!input.empty()) chunks_untouched_ = false;
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
      chunks_untouched_ = request_.body.kind == BodyKind::chunked;
      return ServerEvent{ServerEventKind::request, {}};
    case ParsedKind::data: return ServerEvent{ServerEventKind::data, parsed->data};
    case ParsedKind::end:
      receiving_ = Progress::ended;
      return ServerEvent{ServerEventKind::end, {}};
  }
  return ServerEvent{};
}

// Only chunks can be malformed.
Result<uint64_t> Http1ServerCodec::look_ahead(std::span<const char> input) {
  uint64_t octets = 0;
  if (!chunks_untouched_) return octets;
  ChunkedDecoder chunks(limits_);
  while (true) {
    const auto step = chunks.next(input);
    octets += step.data.size();
    if (step.fault) {
      failed_ = closing_ = true;
      return Error{step.fault.code, Side::client, std::string(step.fault.detail)};
    }
    if (step.done || step.data.empty()) return octets;
  }
}

void Http1ServerCodec::begin_exchange() {
  receiving_ = answering_ = Progress::running;
  framing_ = {};
  left_ = 0;
  head_request_ = http10_client_ = false;
  keep_alive_ = true;
}

void Http1ServerCodec::write_head(const ResponseHead& head, bool close, std::string& out) {
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

DataFrame Http1ServerCodec::frame(size_t available) {
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

void Http1ServerCodec::write_end(const Headers& trailers, std::string& out) {
  if (framing_.kind == BodyKind::chunked && !head_request_) write_last_chunk(out, trailers);
  answering_ = Progress::ended;
  // A body that came out short can only end with the connection.
  closing_ |= left_ > 0;
}

}  // namespace usher::protocol
