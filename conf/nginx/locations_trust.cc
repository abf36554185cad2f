// Whom a location believes about the client, and which header fields it reads.

#include <algorithm>

#include "base/strings.h"
#include "conf/nginx/locations.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

// Where nginx looks for the client's address if nothing else is said.
constexpr const char* usual_client_header = "X-Real-IP";

// Does a server around it listen to the PROXY protocol?
bool is_balanced(const Scope& scope) {
  return std::any_of(scope.block->begin(), scope.block->end(),
                     [](const Directive& each) {
                       return each.name == "listen" &&
                              std::find(each.args.begin(), each.args.end(), "proxy_protocol") !=
                                  each.args.end();
                     }) ||
         (scope.around && is_balanced(*scope.around));
}

bool is_on(const Directive* directive, bool otherwise) {
  return directive ? directive->args.front() == "on" : otherwise;
}

}  // namespace

void Locations::trust(const Scope& scope, RouteSettings& route) {
  TrustSettings made;
  for (const Directive* from : scope.all("set_real_ip_from")) {
    const std::string& text = from->args.front();
    const auto networks = text == "all" ? std::vector<Cidr>() : parse_networks(text);
    if (networks.empty())
      report_.error(from->at, "host not found in set_real_ip_from " + in_quotes(text));
    for (const Cidr& network : networks) {
      if (network.bits == 0 && !network.address.empty())
        report_.warning(from->at, "any client may say that it is another one");
      if (std::find(made.trusted.begin(), made.trusted.end(), network) == made.trusted.end())
        made.trusted.push_back(network);
    }
  }
  const Directive* header = scope.find("real_ip_header");
  // The PROXY protocol tells of the client before there is a request.
  const bool by_connection =
      header ? equals_ignoring_case(header->args.front(), "proxy_protocol") : is_balanced(scope);
  if (made.trusted.empty() || by_connection) return;
  made.client_header = header ? header->args.front() : usual_client_header;
  made.recursive = is_on(scope.find("real_ip_recursive"), false);
  route.forwarded = std::move(made);
}

void Locations::odd_headers(const Scope& scope, RouteSettings& route) {
  const bool underscores = is_on(scope.find("underscores_in_headers"), false);
  const bool ignored = is_on(scope.find("ignore_invalid_headers"), true);
  route.odd_headers = !ignored      ? OddHeaders::pass
                      : underscores ? OddHeaders::underscores
                                    : OddHeaders::drop;
}

}  // namespace usher::conf::nginx
