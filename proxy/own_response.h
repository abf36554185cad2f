// The front door's own responses: JSON with a `detail` for programs, a small page that tries again
// by itself for people. No version numbers in either.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"
#include "protocol/message.h"

namespace usher::proxy {

struct OwnResponse {
  protocol::ResponseHead head;  // its framing is a length
  std::string body;
};

// Does the client want to look at a page? Navigations accept text/html; API paths get JSON whatever
// they accept, because Open WebUI's own page shows `detail`.
bool wants_page(const protocol::RequestHead& request);

OwnResponse make_error_response(Errc code, bool page);
// Refused for now, with this status; Retry-After is at least a second.
OwnResponse make_refusal(Errc code, uint16_t status, bool page, std::chrono::seconds again_after);
// A route's `status`.
OwnResponse make_status_response(uint16_t status, bool page);
// 405, of what can only be asked for with GET and HEAD.
OwnResponse make_only_get(bool page);
// A route's `status` with a `body`.
OwnResponse make_text_response(uint16_t status, std::string_view content_type, std::string body);
OwnResponse make_redirect(std::string_view location, uint16_t status);

std::string_view reason_of(uint16_t status);

}  // namespace usher::proxy
