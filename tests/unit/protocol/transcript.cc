#include "tests/unit/protocol/transcript.h"

#include "base/error.h"

namespace usher::protocol {
namespace {

std::string describe(BodyFraming body) {
  switch (body.kind) {
    case BodyKind::none: return "none";
    case BodyKind::length: return "length=" + std::to_string(body.length);
    case BodyKind::chunked: return "chunked";
    case BodyKind::until_close: return "until_close";
  }
  return "?";
}

std::string describe(const Headers& headers) {
  std::string text;
  for (const Field& field : headers) {
    text.append(" {").append(field.name).append(": ").append(field.value).append("}");
  }
  return text;
}

// Pieces of one body are one text.
class Transcript final {
 public:
  void add(std::string_view what) {
    if (!text_.empty()) text_.append(" | ");
    text_.append(what);
    in_data_ = false;
  }
  void add_data(std::span<const char> data) {
    if (!in_data_) add("data:");
    in_data_ = true;
    text_.append(data.data(), data.size());
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  bool in_data_ = false;
};

// Collects what a caller collects who gets a few octets at a time and keeps what was not used.
template <typename Parser, typename OnEnd>
bool feed(Parser& parser, std::string& kept, std::string_view piece, Transcript& transcript,
          OnEnd on_end) {
  kept.append(piece);
  std::span<const char> input(kept);
  while (true) {
    const auto before = input.size();
    auto parsed = parser.next(input);
    if (!parsed) {
      transcript.add("error:" + std::string(name_of(parsed.error().code)));
      return false;
    }
    if (parsed->kind == ParsedKind::need_more) break;
    if (parsed->kind == ParsedKind::head) transcript.add(describe(parser.take_head()));
    if (parsed->kind == ParsedKind::data) {
      if (parsed->data.empty() || before == input.size()) transcript.add("EMPTY DATA");
      transcript.add_data(parsed->data);
    }
    if (parsed->kind == ParsedKind::end) {
      transcript.add("end" + describe(parser.take_trailers()));
      if (!on_end()) break;
    }
  }
  kept.erase(0, kept.size() - input.size());
  return true;
}

}  // namespace

std::string describe(const RequestHead& head) {
  std::string text;
  text.append(head.method).append(" ").append(head.target).append(" @").append(head.authority);
  text.append(" 1.")
      .append(std::to_string(head.minor_version))
      .append(" ")
      .append(describe(head.body));
  if (head.keep_alive) text.append(" keep-alive");
  if (head.expects_continue) text.append(" expects-continue");
  if (head.wants_websocket) text.append(" websocket");
  return text + describe(head.headers);
}

std::string describe(const ResponseHead& head) {
  std::string text = std::to_string(head.status);
  text.append(" '").append(head.reason).append("' 1.").append(std::to_string(head.minor_version));
  text.append(" ").append(describe(head.body));
  if (head.announced_length) text.append(" announced=" + std::to_string(*head.announced_length));
  if (head.keep_alive) text.append(" keep-alive");
  if (head.requires_websocket) text.append(" requires-websocket");
  return text + describe(head.headers);
}

std::string transcript_of_requests(std::span<const std::string_view> pieces, HeadLimits limits) {
  RequestParser parser(limits);
  Transcript transcript;
  std::string kept;
  for (const auto piece : pieces) {
    if (!feed(parser, kept, piece, transcript, [] { return true; })) return transcript.take();
  }
  if (!kept.empty()) transcript.add("LEFT OVER");
  if (!parser.between_messages()) transcript.add("incomplete");
  return transcript.take();
}

std::string transcript_of_response(std::span<const std::string_view> pieces, Answered answered,
                                   HeadLimits limits) {
  ResponseParser parser(limits);
  parser.expect(answered.method);
  Transcript transcript;
  std::string kept;
  bool ended = false;
  for (const auto piece : pieces) {
    if (ended) {
      kept.append(piece);
      continue;
    }
    const auto on_end = [&] {
      ended = true;
      return false;
    };
    if (!feed(parser, kept, piece, transcript, on_end)) return transcript.take();
  }
  if (answered.closed && !ended) {
    transcript.add(parser.complete_at_close() ? "complete at close" : "cut short");
  }
  if (!kept.empty()) transcript.add("left:" + kept);
  return transcript.take();
}

}  // namespace usher::protocol
