#include "control/file_reader.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/file_reader_process.h"
#include "control/file_reader_wire.h"

namespace usher::control {
namespace {

using namespace reader_wire;

// A disk may be slow, or far away.
constexpr int patience_ms = 10'000;

bool is_forbidden(int error) { return error == EACCES || error == EPERM; }

}  // namespace

Result<std::unique_ptr<FileReader>> FileReader::start(const conf::CommandLine& command_line,
                                                      const Account& account) {
  const auto failed = [](const char* call) {
    return Error{Errc::system, Side::usher, std::string(call) + ": " + std::strerror(errno)};
  };
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return failed("socketpair");
  Fd mine(ends[0]);
  Fd its(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return failed("fork");
  if (pid == 0) run_file_reader(std::move(its), command_line, account);
  return std::make_unique<FileReader>(std::move(mine));
}

FileReader::Answer FileReader::ask(char wish, std::string_view path) {
  Answer answer;
  const auto lost = [this, &answer]() -> Answer&& {
    line_.reset();
    answer.error = EPIPE;
    answer.why = "the process that read for this one has ended, or does not answer: restart usher";
    return std::move(answer);
  };
  const RequestHead request{++last_id_, wish};
  if (!line_.valid() || path.size() > most_text || !send(line_.get(), request, path)) return lost();
  while (true) {
    pollfd waiting{.fd = line_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, patience_ms) == 0) return lost();
    AnswerHead head{};
    auto packet = receive(line_.get(), head);
    if (!packet) return lost();
    if (head.id != request.id) continue;
    answer.error = head.error;
    answer.fd = std::move(packet->fd);
    if (head.more == 0) {
      answer.why = std::move(packet->text);
      return answer;
    }
    answer.names.push_back(std::move(packet->text));
  }
}

Result<std::string> FileReader::read(const std::string& path) {
  auto own = read_file(path);
  if (own || own.error().code == Errc::not_found) return own;
  Answer answer = ask(wish_open, path);
  if (answer.fd.valid()) return read_all(answer.fd, path);
  const bool missing = answer.error == ENOENT || answer.error == ENOTDIR;
  if (answer.error == EPIPE) answer.why = own.error().detail + "; " + answer.why;
  return Error{missing ? Errc::not_found : Errc::bad_config, Side::usher, std::move(answer.why)};
}

FileMark FileReader::mark(const std::string& path) {
  FileMark own = mark_of(path);
  if (!is_forbidden(own.error)) return own;
  const Answer answer = ask(wish_look, path);
  struct stat info {};
  if (answer.fd.valid() && ::fstat(answer.fd.get(), &info) == 0) return mark_of(info);
  own.error = answer.error;
  return own;
}

Files FileReader::files() {
  Files files;
  files.read = [this](const std::string& path) { return read(path); };
  files.mark = [this](const std::string& path) { return mark(path); };
  // A folder that this process may not list looks empty to it.
  files.glob = [this](const std::string& pattern) {
    Answer answer = ask(wish_glob, pattern);
    return answer.error == 0 ? std::move(answer.names) : glob_files(pattern);
  };
  return files;
}

Fd FileReader::another_line() { return std::move(ask(wish_line, {}).fd); }

}  // namespace usher::control
