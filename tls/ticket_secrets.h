// What the keys of session tickets are made from. Whoever has a secret can read the tickets that it
// sealed.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace usher::tls {

struct TicketSecrets {
  std::vector<std::string> secrets;  // the first seals, all open; none: there are no tickets
  std::chrono::seconds lifetime{0};  // of a ticket: for so long its secret is kept
};

}  // namespace usher::tls
