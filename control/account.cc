#include "control/account.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "base/strings.h"
#include "control/state_directory.h"

namespace usher::control {
namespace {

Error bad_user(const std::string& user, const std::string& why) {
  return {Errc::bad_config, Side::usher, "user \"" + user + "\": " + why};
}

// The groups that /etc/group and its like put the account into.
std::vector<gid_t> groups_of(const char* name, gid_t gid) {
  std::vector<gid_t> groups(64);
  auto count = static_cast<int>(groups.size());
  if (::getgrouplist(name, gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<size_t>(count));
    ::getgrouplist(name, gid, groups.data(), &count);
  }
  groups.resize(static_cast<size_t>(std::max(count, 0)));
  return groups;
}

// A log may be a file, or what a container has for standard output: a pipe or a terminal of root's.
Outcome hand_over_log(const std::string& path, const Account& account) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640));
  if (!fd.valid()) return {};  // whoever opens it says why not
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || info.st_uid != 0) return {};
  const bool ours = S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode) || ::isatty(fd.get()) == 1;
  if (!ours || ::fchown(fd.get(), account.uid, account.gid) == 0) return {};
  return Error{Errc::system, Side::usher, path + ": chown: " + std::strerror(errno)};
}

Error cannot_become(const Account& account, const char* call) {
  const int error = errno;
  std::string text = "cannot become uid " + std::to_string(account.uid) + ", gid " +
                     std::to_string(account.gid) + ": " + call + ": " + std::strerror(error);
  if (error == EPERM) text += "; leave root CAP_SETUID and CAP_SETGID, or start usher as that user";
  return {Errc::system, Side::usher, std::move(text)};
}

using CapabilityData = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

}  // namespace

Result<Account> find_account(const std::string& user) {
  const auto [name, group] = cut(user, ':');
  const auto number = parse_decimal<uid_t>(name);
  const passwd* known = ::getpwnam(std::string(name).c_str());
  if (!known && number) known = ::getpwuid(*number);
  if (!known && !number) return bad_user(user, "there is no such account");
  Account account;
  account.uid = known ? known->pw_uid : *number;
  const std::string account_name = known ? known->pw_name : "";
  if (group) {
    const auto group_number = parse_decimal<gid_t>(*group);
    const ::group* known_group = ::getgrnam(std::string(*group).c_str());
    if (!known_group && !group_number) return bad_user(user, "there is no such group");
    account.gid = known_group ? known_group->gr_gid : *group_number;
  } else if (known) {
    account.gid = known->pw_gid;
  } else {
    return bad_user(user, "no account has this number: name a group as well, such as \"" + user +
                              ":" + user + "\"");
  }
  account.groups = account_name.empty() ? std::vector<gid_t>{account.gid}
                                        : groups_of(account_name.c_str(), account.gid);
  return account;
}

Outcome hand_over_files(const conf::Settings& settings, const Account& account) {
  StateDirectory::hand_over(settings.state, account.uid, account.gid);
  std::vector<std::string> logs{settings.log.process};
  for (const conf::AccessLogSettings& each : conf::access_logs(settings.log))
    logs.push_back(each.access);
  for (const std::string& path : logs) {
    if (path == "stdout" || path == "stderr" || path == "off") continue;
    if (Outcome done = hand_over_log(path, account); !done) return done;
  }
  return {};
}

void keep_capabilities(std::initializer_list<int> kept) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  CapabilityData held{};
  if (::syscall(SYS_capget, &header, held.data()) != 0) return;
  CapabilityData wanted{};
  for (const int capability : kept)
    wanted[static_cast<size_t>(capability) / 32].permitted |= 1U << (capability % 32);
  for (size_t i = 0; i < wanted.size(); ++i) {
    wanted[i].permitted &= held[i].permitted;
    wanted[i].effective = wanted[i].permitted;
    wanted[i].inheritable = wanted[i].permitted;
  }
  ::syscall(SYS_capset, &header, wanted.data());
}

Outcome become(const Account& account) {
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (::setgroups(account.groups.size(), account.groups.data()) != 0)
    return cannot_become(account, "setgroups");
  if (::setresgid(account.gid, account.gid, account.gid) != 0)
    return cannot_become(account, "setresgid");
  if (::setresuid(account.uid, account.uid, account.uid) != 0)
    return cannot_become(account, "setresuid");
  keep_capabilities({CAP_NET_BIND_SERVICE});
  // For the process that replaces this one (SIGUSR2), too.
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::setuid(0) == 0)
    return Error{Errc::system, Side::usher, "root's rights could not be given up"};
  return {};
}

}  // namespace usher::control
