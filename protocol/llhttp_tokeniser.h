// The only file that knows llhttp. It takes a whole head, which the scanner has passed, apart;
// where the message ends is decided in framing.cc and not by llhttp.
#pragma once

#include <string_view>

#include "protocol/head_scanner.h"
#include "protocol/message.h"

namespace usher::protocol {

// The text has passed the scanner. It is copied into the head's headers; views point there.
// `fields` is how many the scanner saw.
Fault tokenise(std::string_view text, size_t fields, RequestHead& head);
Fault tokenise(std::string_view text, size_t fields, ResponseHead& head);

}  // namespace usher::protocol
