#include "protocol/http1_parser.h"

#include <algorithm>

#include "protocol/chunked.h"
#include "protocol/head_scanner.h"
#include "protocol/llhttp_tokeniser.h"
#include "protocol/octets.h"

namespace usher::protocol {
namespace {

// A body on its way in, framed as the head said.
class BodyReader final {
 public:
  explicit BodyReader(HeadLimits limits) : limits_(limits) {}

  void begin(BodyFraming framing) {
    framing_ = framing;
    trailers_ = Headers();
    if (framing.kind == BodyKind::chunked) chunks_ = std::make_unique<ChunkedDecoder>(limits_);
  }

  struct Step {
    Fault fault;
    Parsed parsed;
  };
  Step next(std::span<const char>& input) {
    switch (framing_.kind) {
      case BodyKind::none: return end();
      case BodyKind::length:
        if (framing_.length == 0) return end();
        return piece(input, std::min<uint64_t>(framing_.length, input.size()));
      case BodyKind::until_close: return piece(input, input.size());
      case BodyKind::chunked: return next_of_chunked(input);
    }
    return {};
  }

  bool ends_at_close() const { return framing_.kind == BodyKind::until_close; }
  Headers take_trailers() { return std::move(trailers_); }

 private:
  static Step end() { return {{}, {ParsedKind::end, {}}}; }

  Step piece(std::span<const char>& input, uint64_t size) {
    if (input.empty()) return {};
    const auto data = input.first(static_cast<size_t>(size));
    input = input.subspan(data.size());
    if (framing_.kind == BodyKind::length) framing_.length -= data.size();
    return {{}, {ParsedKind::data, data}};
  }

  Step next_of_chunked(std::span<const char>& input) {
    auto step = chunks_->next(input);
    if (step.fault) return {step.fault, {}};
    if (!step.data.empty()) return {{}, {ParsedKind::data, step.data}};
    if (!step.done) return {};
    trailers_ = chunks_->take_trailers();
    chunks_.reset();
    return end();
  }

  HeadLimits limits_;
  BodyFraming framing_;
  std::unique_ptr<ChunkedDecoder> chunks_;  // only while it is needed
  Headers trailers_;
};

enum class Phase : uint8_t { before_head, body, after_switch, not_expected, failed };

}  // namespace

struct RequestParser::Impl {
  explicit Impl(HeadLimits limits) : reader(HeadKind::request, limits), body(limits) {}

  // RFC 9112 section 2.2: one empty line before a request is overlooked, as old clients send it
  // after a body; a second one is an error.
  enum class EmptyLine : uint8_t { possible, carriage_return, passed };

  Fault skip_empty_line(std::span<const char>& input) {
    if (!input.empty() && empty_line == EmptyLine::possible && !reader.started()) {
      if (input.front() != '\r') return check_first_octet(input.front());
      empty_line = EmptyLine::carriage_return;
      input = input.subspan(1);
    }
    if (!input.empty() && empty_line == EmptyLine::carriage_return) {
      if (input.front() != '\n') return {Errc::bad_request, "carriage return without line feed"};
      empty_line = EmptyLine::passed;
      input = input.subspan(1);
    }
    return {};
  }

  // What is not HTTP at all, a TLS hello as a rule, is refused before a line of it is complete.
  static Fault check_first_octet(char octet) {
    if (is_octet(octet, token_octet)) return {};
    return {Errc::bad_request, "this is not HTTP"};
  }

  Result<Parsed> fail(Fault fault) {
    phase = Phase::failed;
    reader.reset();
    return Error{fault.code, Side::client, std::string(fault.detail)};
  }

  Result<Parsed> next_of_head(std::span<const char>& input) {
    if (const auto fault = skip_empty_line(input)) return fail(fault);
    if (const auto fault = reader.next(input)) return fail(fault);
    if (!reader.complete()) return Parsed{};

    head = RequestHead();
    if (const auto fault = tokenise(reader.text(), reader.fields(), head)) return fail(fault);
    reader.reset();
    if (auto framed = frame_request(head); !framed) {
      phase = Phase::failed;
      return std::move(framed).error();
    }
    empty_line = EmptyLine::possible;
    body.begin(head.body);
    phase = Phase::body;
    return Parsed{ParsedKind::head, {}};
  }

  Result<Parsed> next(std::span<const char>& input) {
    if (phase == Phase::failed) return Error{Errc::bad_request, Side::client, "after an error"};
    if (phase == Phase::before_head) return next_of_head(input);
    const auto step = body.next(input);
    if (step.fault) return fail(step.fault);
    if (step.parsed.kind == ParsedKind::end) phase = Phase::before_head;
    return step.parsed;
  }

  Phase phase = Phase::before_head;
  EmptyLine empty_line = EmptyLine::possible;
  HeadReader reader;
  BodyReader body;
  RequestHead head;
};

RequestParser::RequestParser(HeadLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

Result<Parsed> RequestParser::next(std::span<const char>& input) { return impl_->next(input); }
RequestHead RequestParser::take_head() { return std::move(impl_->head); }
Headers RequestParser::take_trailers() { return impl_->body.take_trailers(); }

bool RequestParser::between_messages() const {
  return impl_->phase == Phase::before_head && !impl_->reader.started();
}

struct ResponseParser::Impl {
  explicit Impl(HeadLimits limits) : reader(HeadKind::response, limits), body(limits) {}

  Result<Parsed> fail(std::string_view detail) {
    phase = Phase::failed;
    reader.reset();
    return Error{Errc::replica_bad_response, Side::replica, std::string(detail)};
  }

  Result<Parsed> next_of_head(std::span<const char>& input) {
    if (!input.empty() && !reader.started() && input.front() != 'H')
      return fail("this is not HTTP");
    if (const auto fault = reader.next(input)) return fail(fault.detail);
    if (!reader.complete()) return Parsed{};

    head = ResponseHead();
    if (const auto fault = tokenise(reader.text(), reader.fields(), head))
      return fail(fault.detail);
    reader.reset();
    if (auto framed = frame_response(head, request_method); !framed) {
      phase = Phase::failed;
      return std::move(framed).error();
    }
    if (head.status == 101) {
      phase = Phase::after_switch;
    } else if (!head.interim()) {
      body.begin(head.body);
      phase = Phase::body;
    }
    return Parsed{ParsedKind::head, {}};
  }

  Result<Parsed> next(std::span<const char>& input) {
    switch (phase) {
      case Phase::failed: return fail("after an error");
      case Phase::after_switch: return Parsed{};
      case Phase::not_expected:
        if (input.empty()) return Parsed{};
        return fail("octets that no request asked for");
      case Phase::before_head: return next_of_head(input);
      case Phase::body: break;
    }
    const auto step = body.next(input);
    if (step.fault) return fail(step.fault.detail);
    if (step.parsed.kind == ParsedKind::end) phase = Phase::not_expected;
    return step.parsed;
  }

  Phase phase = Phase::not_expected;
  HeadReader reader;
  BodyReader body;
  std::string request_method;
  ResponseHead head;
};

ResponseParser::ResponseParser(HeadLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
ResponseParser::~ResponseParser() = default;

void ResponseParser::expect(std::string_view request_method) {
  if (impl_->phase == Phase::failed) return;
  impl_->request_method = request_method;
  impl_->phase = Phase::before_head;
}

Result<Parsed> ResponseParser::next(std::span<const char>& input) { return impl_->next(input); }

bool ResponseParser::complete_at_close() {
  if (impl_->phase == Phase::not_expected) return true;
  if (impl_->phase != Phase::body || !impl_->body.ends_at_close()) return false;
  impl_->phase = Phase::not_expected;
  return true;
}

ResponseHead ResponseParser::take_head() { return std::move(impl_->head); }
Headers ResponseParser::take_trailers() { return impl_->body.take_trailers(); }

}  // namespace usher::protocol
