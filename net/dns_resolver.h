// Asks DNS servers over UDP, and nobody else: not the system's resolver, no hosts file, no search
// list.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/loop.h"
#include "net/resolver.h"

struct evdns_base;

namespace usher::net {

class DnsResolver final : public Resolver {
 public:
  // One server or more. Destroy it before the loop, when the loop runs no more.
  DnsResolver(Loop& loop, const std::vector<SocketAddress>& servers);
  // The servers of /etc/resolv.conf, as they are now.
  explicit DnsResolver(Loop& loop);
  ~DnsResolver() override;

  // For A and AAAA records; what one kind of question finds counts though the other one fails. Each
  // question is asked three times, of one server after the other, with 2 s for an answer. An answer
  // of more than 512 bytes (some 28 addresses) is none.
  Pending resolve(std::string host, uint16_t port, Answer answer) override;

  // The name of an IPv4 or IPv6 address (a PTR record, RFC 1035 section 3.5), as the server says
  // it; empty: it has none. Answers in a later turn, within some 6 s for each server.
  using Named = std::function<void(Result<std::string>)>;
  Pending name_of(const SocketAddress& address, Named answer);

 private:
  class Question;
  class NameQuestion;

  void ask(Question& question, const std::string& host);
  static void on_answer(int result, char type, int count, int ttl, void* addresses, void* question);
  static void on_name(int result, char type, int count, int ttl, void* names, void* question);
  void finish(Question& question);
  void finish(NameQuestion& question, const Result<std::string>& name);

  Loop& loop_;
  evdns_base* dns_;
  // Until the servers have answered, whoever still wants to know.
  std::unordered_map<Question*, std::unique_ptr<Question>> questions_;
  std::unordered_map<NameQuestion*, std::unique_ptr<NameQuestion>> name_questions_;
};

}  // namespace usher::net
