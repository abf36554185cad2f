// A client that speaks plain HTTP on a port of TLS, as when somebody types http://name:8443/.
#pragma once

#include <string>
#include <string_view>

namespace usher::tls {

// A whole response that says where to go instead. `received` is what has come of the request.
std::string answer_to_plain_http(std::string_view received);

}  // namespace usher::tls
