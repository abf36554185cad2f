// Whom a process becomes that was started as root, and what it keeps of root's rights: to bind
// ports below 1024, and nothing else.
#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "base/result.h"
#include "conf/settings.h"

namespace usher::control {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // all of them, gid too
};

// "name", "name:group" or their numbers.
Result<Account> find_account(const std::string& user);

// What the account must be able to write: the state directory, if it is usher's own, and the files
// of logs. As root.
Outcome hand_over_files(const conf::Settings& settings, const Account& account);

// For good. Before any thread is started: capabilities are a thread's own.
Outcome become(const Account& account);

// Of what this thread may do as root, only this is left. The numbers are those of capabilities(7);
// those that it never had are passed over.
void keep_capabilities(std::initializer_list<int> kept);

}  // namespace usher::control
