#include "net/dns_resolver.h"

#include <event2/dns.h>
#include <netinet/in.h>

#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace usher::net {
namespace {

// That a name has no address of one kind is an answer, not a failure.
bool is_failure(int result) {
  return result != DNS_ERR_NONE && result != DNS_ERR_NOTEXIST && result != DNS_ERR_NODATA;
}

}  // namespace

class DnsResolver::Question final : public PendingAnswer {
 public:
  Question(DnsResolver& resolver, std::string host, uint16_t port, Answer answer)
      : resolver_(resolver), host_(std::move(host)), port_(port), answer_(std::move(answer)) {}

  DnsResolver& resolver() { return resolver_; }

  void expect() { ++open_; }

  void add(const SocketAddress& address) { found_.push_back(address); }
  void add(const in_addr& ip) {
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(port_), .sin_addr = ip, .sin_zero = {}};
    found_.emplace_back(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  void add(const in6_addr& ip) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port_);
    address.sin6_addr = ip;
    found_.emplace_back(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }

  // True when this was the last answer.
  bool answered(int result) {
    if (result_ == DNS_ERR_NONE || is_failure(result)) result_ = result;
    return --open_ == 0;
  }

  void deliver() {
    finished();
    const Answer answer = std::exchange(answer_, nullptr);
    if (!answer) return;
    if (found_.empty()) {
      return answer(
          Error{Errc::not_found, Side::usher, host_ + ": " + evdns_err_to_string(result_)});
    }
    sort(found_);
    answer(std::move(found_));
  }

 private:
  // What was asked of the servers cannot be taken back.
  void cancel() noexcept override { answer_ = nullptr; }

  DnsResolver& resolver_;
  std::string host_;
  uint16_t port_;
  Answer answer_;
  int open_ = 0;
  int result_ = DNS_ERR_NONE;
  std::vector<SocketAddress> found_;
};

class DnsResolver::NameQuestion final : public PendingAnswer {
 public:
  NameQuestion(DnsResolver& resolver, Named answer)
      : resolver_(resolver), answer_(std::move(answer)) {}

  DnsResolver& resolver() { return resolver_; }

  void deliver(const Result<std::string>& name) {
    finished();
    if (const Named answer = std::exchange(answer_, nullptr)) answer(name);
  }

 private:
  // What was asked of the servers cannot be taken back.
  void cancel() noexcept override { answer_ = nullptr; }

  DnsResolver& resolver_;
  Named answer_;
};

DnsResolver::DnsResolver(Loop& loop) : DnsResolver(loop, {}) {
  // Without the file, or without a server in it, every question fails at once.
  evdns_base_resolv_conf_parse(dns_, DNS_OPTION_NAMESERVERS, "/etc/resolv.conf");
}

DnsResolver::DnsResolver(Loop& loop, const std::vector<SocketAddress>& servers)
    : loop_(loop), dns_(evdns_base_new(loop.base(), EVDNS_BASE_DISABLE_WHEN_INACTIVE)) {
  if (!dns_) throw std::bad_alloc();
  evdns_base_set_option(dns_, "timeout:", "2");
  evdns_base_set_option(dns_, "attempts:", "3");
  // Docker's server tells names of containers apart by case.
  evdns_base_set_option(dns_, "randomize-case:", "0");
  // libevent would ask a server that it holds for dead about a name of its own choice.
  evdns_base_set_option(dns_, "max-timeouts:", "255");
  for (const SocketAddress& server : servers)
    evdns_base_nameserver_sockaddr_add(dns_, server.data(), server.length(), 0);
}

DnsResolver::~DnsResolver() { evdns_base_free(dns_, 0); }

Pending DnsResolver::resolve(std::string host, uint16_t port, Answer answer) {
  auto made = std::make_unique<Question>(*this, host, port, std::move(answer));
  Question& question = *made;
  questions_.emplace(&question, std::move(made));
  question.expect();
  const auto numeric = SocketAddress::from_ip(host, port);
  loop_.later([this, &question, numeric, host = std::move(host)] {
    if (numeric) {
      question.add(*numeric);
    } else {
      ask(question, host);
    }
    if (question.answered(DNS_ERR_NONE)) finish(question);
  });
  return Pending(question);
}

void DnsResolver::ask(Question& question, const std::string& host) {
  question.expect();
  if (!evdns_base_resolve_ipv4(dns_, host.c_str(), DNS_QUERY_NO_SEARCH, &on_answer, &question))
    question.answered(DNS_ERR_UNKNOWN);
  question.expect();
  if (!evdns_base_resolve_ipv6(dns_, host.c_str(), DNS_QUERY_NO_SEARCH, &on_answer, &question))
    question.answered(DNS_ERR_UNKNOWN);
}

void DnsResolver::on_answer(int result, char type, int count, int, void* addresses, void* of) {
  auto& question = *static_cast<Question*>(of);
  const auto size = static_cast<size_t>(result == DNS_ERR_NONE ? count : 0);
  if (type == DNS_IPv4_A) {
    for (const in_addr& ip : std::span(static_cast<const in_addr*>(addresses), size))
      question.add(ip);
  } else {
    for (const in6_addr& ip : std::span(static_cast<const in6_addr*>(addresses), size))
      question.add(ip);
  }
  if (question.answered(result)) question.resolver().finish(question);
}

void DnsResolver::finish(Question& question) {
  const auto node = questions_.extract(&question);
  node.mapped()->deliver();
}

Pending DnsResolver::name_of(const SocketAddress& address, Named answer) {
  auto made = std::make_unique<NameQuestion>(*this, std::move(answer));
  NameQuestion& question = *made;
  name_questions_.emplace(&question, std::move(made));
  loop_.later([this, &question, address] {
    const auto ip = address.ip_bytes();
    evdns_request* request = nullptr;
    if (ip.size() == sizeof(in_addr)) {
      in_addr four;
      std::memcpy(&four, ip.data(), sizeof four);
      request = evdns_base_resolve_reverse(dns_, &four, DNS_QUERY_NO_SEARCH, &on_name, &question);
    } else if (ip.size() == sizeof(in6_addr)) {
      in6_addr six;
      std::memcpy(&six, ip.data(), sizeof six);
      request =
          evdns_base_resolve_reverse_ipv6(dns_, &six, DNS_QUERY_NO_SEARCH, &on_name, &question);
    }
    if (!request) finish(question, Error{Errc::not_found, Side::usher, "no server to ask"});
  });
  return Pending(question);
}

void DnsResolver::on_name(int result, char type, int count, int, void* names, void* of) {
  auto& question = *static_cast<NameQuestion*>(of);
  if (is_failure(result)) {
    question.resolver().finish(question,
                               Error{Errc::not_found, Side::usher, evdns_err_to_string(result)});
  } else {
    const bool named = result == DNS_ERR_NONE && type == DNS_PTR && count > 0;
    question.resolver().finish(question, std::string(named ? *static_cast<char**>(names) : ""));
  }
}

void DnsResolver::finish(NameQuestion& question, const Result<std::string>& name) {
  const auto node = name_questions_.extract(&question);
  node.mapped()->deliver(name);
}

}  // namespace usher::net
