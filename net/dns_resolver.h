// Asks DNS servers that were named, over UDP, and nobody else: not the system's resolver, no hosts
// file, no search list.
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
  ~DnsResolver() override;

  // For A and AAAA records; what one kind of question finds counts though the other one fails. Each
  // question is asked three times, of one server after the other, with 2 s for an answer. An answer
  // of more than 512 bytes (some 28 addresses) is none.
  Pending resolve(std::string host, uint16_t port, Answer answer) override;

 private:
  class Question;

  void ask(Question& question, const std::string& host);
  static void on_answer(int result, char type, int count, int ttl, void* addresses, void* question);
  void finish(Question& question);

  Loop& loop_;
  evdns_base* dns_;
  // Until the servers have answered, whoever still wants to know.
  std::unordered_map<Question*, std::unique_ptr<Question>> questions_;
};

}  // namespace usher::net
