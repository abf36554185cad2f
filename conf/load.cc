#include "conf/load.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "base/fd.h"
#include "conf/checks.h"
#include "conf/keys.h"
#include "conf/nginx/reader.h"
#include "conf/overrides.h"
#include "conf/toml_reader.h"
#include "conf/values.h"

namespace usher::conf {
namespace {

constexpr const char* config_variable = "USHER_CONFIG";
constexpr const char* nginx_file = "/etc/nginx/nginx.conf";
constexpr const char* searched_files[] = {"usher.toml", "/etc/usher/usher.toml", nginx_file};
// More than the reader takes: a device or a core dump is refused there, and does not fill the
// memory.
constexpr size_t most_of_a_file = size_t{2} << 20;
constexpr const char* lenient_variable = "USHER_LENIENT";

// An empty variable counts as none: compose passes VAR= for what is not in .env.
std::optional<std::string> variable(const Environment& environment, const std::string& name) {
  auto text = environment(name);
  return text && text->empty() ? std::nullopt : text;
}

// Messages of several sources, told together.
class Messages final {
 public:
  void add(std::string_view text) {
    if (!text_.empty()) text_ += '\n';
    text_ += text;
  }
  bool any() const { return !text_.empty(); }
  Error to_error() && { return {Errc::bad_config, Side::usher, std::move(text_)}; }

 private:
  std::string text_;
};

struct File {
  std::string path;
  std::string text;
};

// The file that was asked for must be there; origin is the variable that asked for it.
std::optional<File> asked_for(const std::string& path, std::string_view origin,
                              const FileReader& files, Messages& messages) {
  const std::string name = std::string(origin) + path;
  auto text = files(path);
  if (text) return File{path, *std::move(text)};
  messages.add(name + ": " + text.error().detail);
  return std::nullopt;
}

nginx::Files files_for_nginx(const FileReader& files) {
  nginx::Files of_nginx = nginx::files_of_the_system();
  of_nginx.read = files;
  return of_nginx;
}

std::optional<File> search(const FileReader& files, Messages& messages) {
  for (const char* path : searched_files) {
    auto text = files(path);
    const bool of_nginx = std::string_view(path) == nginx_file;
    if (of_nginx && text && !nginx::is_of_a_proxy(path, *text, files_for_nginx(files))) continue;
    if (text) return File{path, *std::move(text)};
    if (text.error().code == Errc::not_found) continue;
    messages.add(std::string(path) + ": " + text.error().detail);
    return std::nullopt;
  }
  return std::nullopt;
}

Result<ReadSettings> read_settings(const File& file, const CommandLine& command_line, bool lenient,
                                   const FileReader& files) {
  const bool of_nginx_surely = command_line.command == Command::import_nginx;
  if (!of_nginx_surely && !file.path.ends_with(".conf")) return read_toml(file.path, file.text);
  return nginx::read(file.path, file.text, lenient, files_for_nginx(files));
}

struct Choice {
  std::string origin;  // the flag's or the variable's name
  std::string text;
};

std::optional<Choice> choose(const Override& row, const Overrides& flags,
                             const Environment& environment) {
  if (const auto& flag = flags.*row.given) return Choice{std::string(row.flag), *flag};
  const std::string name(row.variable);
  if (auto text = variable(environment, name)) return Choice{name, *std::move(text)};
  return std::nullopt;
}

// Whether anything was overridden.
bool apply_overrides(const Overrides& flags, const Environment& environment, Settings& settings,
                     Messages& messages) {
  bool any = false;
  for (const auto& row : all_overrides()) {
    const auto choice = choose(row, flags, environment);
    if (!choice) continue;
    any = true;
    if (row.needs) {
      const auto rows = all_overrides();
      const auto other = std::find_if(rows.begin(), rows.end(), [&row](const Override& candidate) {
        return candidate.given == row.needs;
      });
      if (!choose(*other, flags, environment)) {
        messages.add(choice->origin + ": expected " + std::string(other->flag) + " or " +
                     std::string(other->variable) + " as well");
        continue;
      }
    }
    if (const auto outcome = row.apply(choice->text, settings); !outcome) {
      messages.add(choice->origin + ": " + outcome.error().detail);
    }
  }
  return any;
}

// The token is the file's one line.
void read_admin_token(const FileReader& files, AdminSettings& admin, Messages& messages) {
  if (admin.token_file.empty()) return;
  const std::string name = "admin.token_file: " + admin.token_file + ": ";
  const auto text = files(admin.token_file);
  if (!text) return messages.add(name + text.error().detail);
  std::string_view line = *text;
  while (line.ends_with('\n') || line.ends_with('\r'))
    line.remove_suffix(1);
  const bool taken =
      !line.empty() && assign(line, admin.token, rule_of(&AdminSettings::token)).ok();
  if (!taken) messages.add(name + "expected a token in one line");
}

// Those of the settings as they are, with what was put over the file.
std::vector<std::string> doubts_about(const Settings& settings, Messages& messages) {
  Problems problems("flags and environment");
  check(settings, {}, problems);
  if (problems.any_error()) messages.add(problems.to_error().detail);
  return problems.warnings();
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* text = std::getenv(name.c_str());
  return text ? std::optional<std::string>(text) : std::nullopt;
}

Result<std::string> read_file(const std::string& path) {
  const auto failed = [] {
    const int reason = errno;
    const Errc code = reason == ENOENT || reason == ENOTDIR ? Errc::not_found : Errc::bad_config;
    return Error{code, Side::usher, std::string("cannot be read: ") + std::strerror(reason)};
  };
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return failed();
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() < most_of_a_file) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed();
    if (got == 0) break;
    text.append(piece.data(), static_cast<size_t>(got));
  }
  return text;
}

Result<Loaded> load(const CommandLine& command_line, const Environment& environment,
                    const FileReader& files) {
  Loaded loaded;
  Messages messages;

  std::optional<File> file;
  if (!command_line.config.empty()) {
    file = asked_for(command_line.config, "", files, messages);
  } else if (const auto path = variable(environment, config_variable)) {
    file = asked_for(*path, std::string(config_variable) + ": ", files, messages);
  } else {
    file = search(files, messages);
  }

  loaded.source = file ? file->path : "built-in defaults";
  loaded.settings = built_in_settings();
  if (file) {
    const bool lenient = command_line.lenient || variable(environment, lenient_variable);
    auto read = read_settings(*file, command_line, lenient, files);
    if (read) {
      loaded.settings = std::move(read->settings);
      std::move(read->warnings.begin(), read->warnings.end(), std::back_inserter(loaded.warnings));
    } else {
      messages.add(read.error().detail);
    }
  }

  Messages of_the_file;  // its reader has told them
  const auto known = doubts_about(loaded.settings, of_the_file);
  const bool overridden =
      apply_overrides(command_line.overrides, environment, loaded.settings, messages);
  if (messages.any()) return std::move(messages).to_error();

  if (overridden) {
    // The file's own problems were told by the reader; these come from what was put over it.
    for (std::string& doubt : doubts_about(loaded.settings, messages)) {
      if (std::find(known.begin(), known.end(), doubt) == known.end())
        loaded.warnings.push_back(std::move(doubt));
    }
  }
  read_admin_token(files, loaded.settings.admin, messages);
  if (messages.any()) return std::move(messages).to_error();
  return loaded;
}

}  // namespace usher::conf
