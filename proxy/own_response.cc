#include "proxy/own_response.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/strings.h"

namespace usher::proxy {
namespace {

constexpr std::array<std::string_view, 8> api_prefixes{
    "/api/", "/ws/", "/socket.io/", "/openai/", "/ollama/", "/oauth/", "/health", "/ready"};

// Waiting makes sense where the cause passes by itself.
bool passes(uint16_t status) { return status == 429 || (status >= 502 && status <= 504); }

std::string make_page(uint16_t status, std::string_view text) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
  if (passes(status)) page += "<meta http-equiv=\"refresh\" content=\"3\">";
  page += "<title>";
  page += reason_of(status);
  page +=
      "</title><style>"
      "body{font:16px/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;"
      "place-items:center;background:#fafafa;color:#222}"
      "main{text-align:center;padding:2rem}"
      "p{color:#666}"
      "@media(prefers-color-scheme:dark){body{background:#171717;color:#eee}p{color:#999}}"
      "</style></head><body><main><h1>";
  page += text;
  page += "</h1>";
  if (passes(status)) page += "<p>This page tries again by itself.</p>";
  page += "</main></body></html>\n";
  return page;
}

OwnResponse make(uint16_t status, std::string_view text, bool page) {
  OwnResponse response;
  response.head.status = status;
  response.head.reason = reason_of(status);
  if (page) {
    response.head.headers.append("Content-Type", "text/html; charset=utf-8");
    response.body = make_page(status, text);
  } else {
    response.head.headers.append("Content-Type", "application/json");
    response.body = R"({"detail":)";
    append_json_string(response.body, text);
    response.body += "}";
  }
  response.head.headers.append("Cache-Control", "no-store");
  if (passes(status)) response.head.headers.append("Retry-After", status == 503 ? "3" : "1");
  response.head.body = {protocol::BodyKind::length, response.body.size()};
  return response;
}

}  // namespace

bool wants_page(const protocol::RequestHead& request) {
  if (request.method != "GET" && request.method != "HEAD") return false;
  for (const std::string_view prefix : api_prefixes) {
    if (request.target.starts_with(prefix)) return false;
  }
  const auto accept = request.headers.get("Accept");
  return accept && accept->find("text/html") != std::string_view::npos;
}

OwnResponse make_error_response(Errc code, bool page) {
  const ErrorRow& row = row_of(code);
  return make(row.status, row.client_text, page);
}

OwnResponse make_refusal(Errc code, uint16_t status, bool page, std::chrono::seconds again_after) {
  OwnResponse response = make(status, row_of(code).client_text, page);
  const auto seconds = std::max(again_after, std::chrono::seconds(1)).count();
  response.head.headers.set("Retry-After", std::to_string(seconds));
  return response;
}

OwnResponse make_status_response(uint16_t status, bool page) {
  if (status == 204) {
    OwnResponse empty;
    empty.head.status = status;
    empty.head.reason = reason_of(status);
    return empty;
  }
  return make(status, reason_of(status), page);
}

OwnResponse make_only_get(bool page) {
  OwnResponse refused = make(405, reason_of(405), page);
  refused.head.headers.append("Allow", "GET, HEAD");  // RFC 9110 section 15.5.6
  return refused;
}

OwnResponse make_text_response(uint16_t status, std::string_view content_type, std::string body) {
  OwnResponse response;
  response.head.status = status;
  response.head.reason = reason_of(status);
  response.head.headers.append("Content-Type", content_type);
  response.body = std::move(body);
  response.head.body = {protocol::BodyKind::length, response.body.size()};
  return response;
}

OwnResponse make_redirect(std::string_view location, uint16_t status) {
  OwnResponse response;
  response.head.status = status;
  response.head.reason = reason_of(status);
  response.head.headers.append("Location", location);
  response.head.body = {protocol::BodyKind::length, 0};
  return response;
}

std::string_view reason_of(uint16_t status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

}  // namespace usher::proxy
