#include "control/file_reader_process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"
#include "conf/load.h"
#include "control/file_reader_wire.h"

namespace usher::control {
namespace {

using namespace reader_wire;

constexpr size_t most_lines = 16;
constexpr int line_fd = 3;
constexpr long most_descriptors = 65'536;  // that are looked through where the kernel is old

// The files and patterns that the settings name, and those that were read to know them.
class Named final {
 public:
  explicit Named(conf::CommandLine command_line) : command_line_(std::move(command_line)) {
    learn();
  }

  bool has(char wish, const std::string& text) {
    auto& names = wish == wish_glob ? patterns_ : files_;
    if (names.contains(text)) return true;
    learn();  // the settings may be others by now
    return names.contains(text);
  }

 private:
  // Settings that cannot be read, or that only another binary understands, take nothing away.
  void learn() {
    std::set<std::string> files;
    std::set<std::string> patterns;
    Files noted;
    noted.read = [&files](const std::string& path) {
      files.insert(path);
      return read_file(path);
    };
    noted.mark = [&files](const std::string& path) {
      files.insert(path);
      return mark_of(path);
    };
    noted.glob = [&patterns](const std::string& pattern) {
      patterns.insert(pattern);
      return glob_files(pattern);
    };
    const auto loaded = conf::load(command_line_, conf::process_environment, noted);
    if (loaded) {
      for (const auto& [path, origin] : loaded->origins)
        files.insert(path);
      files_.clear();
      patterns_.clear();
    }
    files_.merge(files);
    patterns_.merge(patterns);
  }

  const conf::CommandLine command_line_;
  std::set<std::string> files_;
  std::set<std::string> patterns_;
};

// Whoever can put another file in its place would have this process read any file of the system.
bool may_be_changed_by(const Account& account, const std::string& path) {
  for (size_t slash = path.rfind('/'); slash != path.npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    struct stat info {};
    if (::stat(path.substr(0, slash).c_str(), &info) != 0) return true;
    const bool sticky = (info.st_mode & S_ISVTX) != 0;
    const bool by_group = (info.st_mode & S_IWGRP) != 0 &&
                          std::ranges::find(account.groups, info.st_gid) != account.groups.end();
    const bool by_others = (info.st_mode & S_IWOTH) != 0;
    if (info.st_uid == account.uid || ((by_group || by_others) && !sticky)) return true;
  }
  return false;
}

std::string where_it_leads(int fd) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : "";
}

class Reader final {
 public:
  Reader(Fd line, const conf::CommandLine& command_line, Account account)
      : named_(command_line), account_(std::move(account)) {
    lines_.push_back(std::move(line));
  }

  void run() {
    while (!lines_.empty()) {
      std::vector<pollfd> waiting;
      for (const Fd& line : lines_)
        waiting.push_back({.fd = line.get(), .events = POLLIN, .revents = 0});
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      // Backwards: one that has ended is taken out, and a new one is put behind.
      for (size_t i = waiting.size(); i-- > 0;) {
        if (waiting[i].revents != 0 && !answer(lines_[i].get()))
          lines_.erase(lines_.begin() + static_cast<ptrdiff_t>(i));
      }
    }
  }

 private:
  // False: nobody is at the other end.
  bool answer(int line) {
    RequestHead request{};
    const auto packet = receive(line, request);
    if (!packet) return false;
    const std::string& path = packet->text;
    AnswerHead head{request.id, 0, 0};
    if (request.wish == wish_line) return open_line(line, head);
    if (!named_.has(request.wish, path)) {
      head.error = EACCES;
      return send(line, head,
                  "cannot be read: the settings do not name it (process that stays root)");
    }
    if (request.wish == wish_glob) {
      for (const std::string& name : glob_files(path)) {
        head.more = 1;
        if (!send(line, head, name)) return false;
      }
      head.more = 0;
      return send(line, head, {});
    }
    const int how = request.wish == wish_look ? O_PATH : O_RDONLY | O_NONBLOCK | O_NOCTTY;
    const Fd file(::open(path.c_str(), how | O_CLOEXEC));
    if (!file.valid()) {
      head.error = errno;
      return send(line, head, "cannot be read: " + why_not(path, errno, "read"));
    }
    if (may_be_changed_by(account_, path) ||
        may_be_changed_by(account_, where_it_leads(file.get()))) {
      head.error = EACCES;
      return send(line, head,
                  "cannot be read: uid " + std::to_string(account_.uid) +
                      " could put another file in its place, so root does not read it for it; let "
                      "that uid read it, or let root own the folders that lead there");
    }
    return send(line, head, {}, file.get());
  }

  bool open_line(int line, AnswerHead head) {
    int ends[2] = {-1, -1};
    if (lines_.size() >= most_lines ||
        ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      head.error = EMFILE;
      return send(line, head, "no further line");
    }
    lines_.emplace_back(ends[0]);
    const Fd its(ends[1]);
    return send(line, head, {}, its.get());
  }

  Named named_;
  const Account account_;
  std::vector<Fd> lines_;
};

// Nothing of what the other process has open: its sockets must end with it.
void let_go_of_everything(Fd& line) {
  line = Fd(::fcntl(line.get(), F_DUPFD_CLOEXEC, line_fd));
  {
    const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (int standard = 0; standard < line_fd; ++standard)
      ::dup2(nothing.get(), standard);
  }
  if (line.get() != line_fd) {
    ::dup3(line.get(), line_fd, O_CLOEXEC);
    line = Fd(line_fd);
  }
  if (::syscall(SYS_close_range, line_fd + 1, ~0U, 0) == 0) return;
  const long most = std::min(::sysconf(_SC_OPEN_MAX), most_descriptors);
  for (int fd = line_fd + 1; fd < most; ++fd)
    ::close(fd);
}

}  // namespace

void run_file_reader(Fd line, const conf::CommandLine& command_line, const Account& account) {
  // Signals are for the process that serves; this one ends when nobody can ask it any more.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE})
    ::signal(signal, SIG_IGN);
  ::prctl(PR_SET_NAME, "usher-reader", 0, 0, 0);
  let_go_of_everything(line);
  // Docker leaves its containers the second one only.
  keep_capabilities({CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE});
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  Reader(std::move(line), command_line, account).run();
  ::_exit(0);
}

}  // namespace usher::control
