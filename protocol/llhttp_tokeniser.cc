#include "protocol/llhttp_tokeniser.h"

#include <llhttp.h>

#include <string>

#include "base/strings.h"

namespace usher::protocol {
namespace {

// Forwarding adds about so many; one allocation then serves a message from end to end.
constexpr size_t spare_fields = 8;

// What llhttp said, span by span. It lives on the stack for one head.
struct Tokens {
  explicit Tokens(Headers& into) : headers(into) {}

  Headers& headers;
  std::string_view target;
  std::string_view reason;
  std::string_view name;
  std::string_view value;
};

Tokens& tokens_of(llhttp_t* parser) { return *static_cast<Tokens*>(parser->data); }

// llhttp may report one token in several spans; they touch each other.
void extend(std::string_view& token, const char* at, size_t size) {
  token = token.empty()
              ? std::string_view(at, size)
              : std::string_view(token.data(), static_cast<size_t>(at - token.data()) + size);
}

template <std::string_view Tokens::*Token>
int on_span(llhttp_t* parser, const char* at, size_t size) {
  extend(tokens_of(parser).*Token, at, size);
  return 0;
}

int on_field_end(llhttp_t* parser) {
  Tokens& tokens = tokens_of(parser);
  tokens.headers.append_kept(tokens.name, trim(tokens.value));
  tokens.name = tokens.value = {};
  return 0;
}

// llhttp goes no further than the head: where the message ends is not its business.
int on_head_end(llhttp_t*) { return HPE_PAUSED; }

constexpr llhttp_settings_t make_settings() {
  llhttp_settings_t made{};
  made.on_url = on_span<&Tokens::target>;
  made.on_status = on_span<&Tokens::reason>;
  made.on_header_field = on_span<&Tokens::name>;
  made.on_header_value = on_span<&Tokens::value>;
  made.on_header_value_complete = on_field_end;
  made.on_headers_complete = on_head_end;
  return made;
}

constinit const llhttp_settings_t settings = make_settings();

Fault run(llhttp_t& parser, std::string_view text) {
  const llhttp_errno_t code = llhttp_execute(&parser, text.data(), text.size());
  if (code == HPE_PAUSED && llhttp_get_error_pos(&parser) == text.data() + text.size()) return {};
  const char* const reason = llhttp_get_error_reason(&parser);
  return {Errc::bad_request, reason && *reason ? reason : "malformed head"};
}

void begin(llhttp_t& parser, llhttp_type_t type, Tokens& tokens) {
  llhttp_init(&parser, type, &settings);
  parser.data = &tokens;
}

// The text as llhttp is given it, in the headers' memory, without what llhttp 8.1 refuses and the
// scanner does not:
// - White space at the end of a line means nothing (RFC 9112 section 5.1); for a tab behind a
//   Content-Length stands a space.
// - The minor version, whose place is `minor`, is 1 at most.
// Both are rare, so nothing is copied twice as a rule.
std::string_view keep_for_llhttp(Headers& headers, std::string_view text, size_t minor) {
  const bool later = text[minor] > '1';
  if (!later && text.find('\t') == std::string_view::npos) return headers.keep(text);
  std::string made(text);
  if (later) made[minor] = '1';
  for (auto end = made.find('\r'); end != std::string::npos; end = made.find('\r', end + 1)) {
    for (auto at = end; at > 0 && (made[at - 1] == '\t' || made[at - 1] == ' '); --at)
      made[at - 1] = ' ';
  }
  return headers.keep(made);
}

// Scanner and tokeniser must have seen the same number of fields: a gap between the two is where
// smuggling lives.
Fault check_count(const Headers& headers, size_t fields) {
  return headers.size() == fields ? Fault{}
                                  : Fault{Errc::bad_request, "header fields do not add up"};
}

}  // namespace

Fault tokenise(std::string_view text, size_t fields, RequestHead& head) {
  // Which methods there are is not llhttp's business: to it, each is a POST. Where the method ends
  // the scanner has seen.
  constexpr std::string_view post = "POST ";
  const auto kept = keep_for_llhttp(head.headers, text, text.find('\r') - 1);
  head.headers.reserve(fields + spare_fields);
  Tokens tokens(head.headers);
  llhttp_t parser;
  begin(parser, HTTP_REQUEST, tokens);

  if (llhttp_execute(&parser, post.data(), post.size()) != HPE_OK) return {Errc::bad_request, ""};
  const auto [method, rest] = cut(kept, ' ');
  if (const auto fault = run(parser, rest.value_or(std::string_view()))) return fault;
  head.method = method;
  head.target = tokens.target;
  head.minor_version = parser.http_minor;
  return check_count(head.headers, fields);
}

Fault tokenise(std::string_view text, size_t fields, ResponseHead& head) {
  constexpr size_t minor = std::string_view("HTTP/1.").size();
  const auto kept = keep_for_llhttp(head.headers, text, minor);
  head.headers.reserve(fields + spare_fields);
  Tokens tokens(head.headers);
  llhttp_t parser;
  begin(parser, HTTP_RESPONSE, tokens);
  if (const auto fault = run(parser, kept)) return fault;
  head.status = parser.status_code;
  head.reason = tokens.reason;
  head.minor_version = parser.http_minor;
  return check_count(head.headers, fields);
}

}  // namespace usher::protocol
