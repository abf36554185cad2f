#include "conf/load.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "base/strings.h"
#include "conf/checks.h"
#include "conf/keys.h"
#include "conf/nginx/reader.h"
#include "conf/overrides.h"
#include "conf/toml_reader.h"
#include "conf/values.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr const char* config_variable = "USHER_CONFIG";
constexpr const char* nginx_file = "/etc/nginx/nginx.conf";
constexpr const char* searched_files[] = {"usher.toml", "/etc/usher/usher.toml", nginx_file};
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
std::optional<File> asked_for(const std::string& path, std::string_view origin, const Files& files,
                              Messages& messages) {
  const std::string name = std::string(origin) + path;
  auto text = files.read(path);
  if (text) return File{path, *std::move(text)};
  messages.add(name + ": " + text.error().detail);
  return std::nullopt;
}

std::optional<File> search(const Files& files, Messages& messages) {
  for (const char* path : searched_files) {
    auto text = files.read(path);
    const bool of_nginx = std::string_view(path) == nginx_file;
    if (of_nginx && text && !nginx::is_of_a_proxy(path, *text, files)) continue;
    if (text) return File{path, *std::move(text)};
    if (text.error().code == Errc::not_found) continue;
    messages.add(std::string(path) + ": " + text.error().detail);
    return std::nullopt;
  }
  return std::nullopt;
}

Result<ReadSettings> read_settings(const File& file, const CommandLine& command_line, bool lenient,
                                   const Files& files) {
  const bool of_nginx_surely = command_line.command == Command::import_nginx;
  if (!of_nginx_surely && !file.path.ends_with(".conf")) return read_toml(file.path, file.text);
  return nginx::read(file.path, file.text, lenient, files);
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
bool apply_overrides(const Overrides& flags, const Environment& environment, Loaded& loaded,
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
    if (const auto outcome = row.apply(choice->text, loaded.settings); !outcome) {
      messages.add(choice->origin + ": " + outcome.error().detail);
    }
    if (row.is_read) loaded.origins[choice->text] = choice->origin;
  }
  return any;
}

// Every process of the machine may read what stands on a command line.
void warn_of_visible_password(const Overrides& flags, Loaded& loaded) {
  if (!flags.store || loaded.settings.store.url.password.empty()) return;
  loaded.warnings.emplace_back(
      "--store: the password in it can be read by everybody on this machine, in the list of "
      "processes: give USHER_STORE, USHER_STORE_FILE or store.url_file instead");
}

// Variables that begin as ours do and mean nothing: most often a misspelt one.
void warn_of_unknown_variables(const std::vector<std::string>& variables, Loaded& loaded) {
  constexpr std::string_view ours = "USHER_";
  constexpr std::string_view of_the_image = "USHER_NGINX_";
  std::vector<std::string_view> known{config_variable, lenient_variable};
  for (const auto& row : all_overrides())
    known.push_back(row.variable);
  for (const std::string& name : variables) {
    if (!name.starts_with(ours) || name.starts_with(of_the_image)) continue;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    loaded.warnings.push_back(name + ": unknown variable, which has no effect" +
                              did_you_mean(name, known));
  }
}

// The built-in upstream is this machine; in a container that is nobody.
void warn_of_lonely_container(const Files& files, Loaded& loaded) {
  const auto& upstreams = loaded.settings.upstreams;
  if (upstreams.size() != 1 || upstreams.front().replicas != UpstreamSettings().replicas) return;
  const auto is_there = [&files](const char* path) { return files.mark(path).error == 0; };
  if (!is_there("/.dockerenv") && !is_there("/run/.containerenv")) return;
  loaded.warnings.push_back(
      "the replica " + to_string(upstreams.front().replicas.front()) +
      " is this container itself, unless it has the network of the host: name Open WebUI in "
      "USHER_UPSTREAM, such as USHER_UPSTREAM=open-webui:8080");
}

// What a file holds in the place of a setting: its text without the white space around it.
std::string_view without_space(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

std::optional<std::string> secret_in(const std::string& path, const Files& files,
                                     Messages& messages) {
  const auto text = files.read(path);
  if (text) {
    const std::string secret(without_space(*text));
    if (!secret.empty()) return secret;
  }
  messages.add(files.called(path) + ": " + (text ? "is empty" : text.error().detail));
  return std::nullopt;
}

void read_secrets(Settings& settings, const Files& files, Messages& messages) {
  StoreSettings& store = settings.store;
  if (!store.url_file.empty()) {
    const auto text = secret_in(store.url_file, files, messages);
    const auto outcome = text ? assign(*text, store.url, rule_of(&StoreSettings::url)) : Outcome();
    if (!outcome) messages.add(files.called(store.url_file) + ": " + outcome.error().detail);
  }
  AffinitySettings& affinity = settings.affinity;
  if (!affinity.secret_file.empty()) {
    if (auto text = secret_in(affinity.secret_file, files, messages))
      affinity.secret = *std::move(text);
  }
  AdminSettings& admin = settings.admin;
  if (admin.token_file.empty()) return;
  if (const auto text = secret_in(admin.token_file, files, messages)) {
    if (!assign(*text, admin.token, rule_of(&AdminSettings::token)))
      messages.add(files.called(admin.token_file) + ": expected a token in one line");
  }
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

std::vector<std::string> process_variables() {
  std::vector<std::string> names;
  for (char** each = environ; *each; ++each)
    names.emplace_back(cut(*each, '=').first);
  return names;
}

Result<Loaded> load(const CommandLine& command_line, const Environment& environment,
                    const Files& files, const std::vector<std::string>& variables) {
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

  loaded.from_file = file.has_value();
  loaded.source = file ? file->path : "built-in defaults";
  loaded.settings = built_in_settings();
  if (file) {
    const bool lenient = command_line.lenient || variable(environment, lenient_variable);
    auto read = read_settings(*file, command_line, lenient, files);
    if (read) {
      loaded.settings = std::move(read->settings);
      loaded.origins = std::move(read->origins);
      std::move(read->warnings.begin(), read->warnings.end(), std::back_inserter(loaded.warnings));
    } else {
      messages.add(read.error().detail);
    }
  }

  Messages of_the_file;  // its reader has told them
  const auto known = doubts_about(loaded.settings, of_the_file);
  const bool overridden = apply_overrides(command_line.overrides, environment, loaded, messages);
  loaded.files = files;
  loaded.files.called = [origins = loaded.origins](const std::string& path) {
    const auto found = origins.find(path);
    return found == origins.end() ? path : found->second + ": " + path;
  };
  read_secrets(loaded.settings, loaded.files, messages);
  if (messages.any()) return std::move(messages).to_error();

  if (overridden) {
    // The file's own problems were told by the reader; these come from what was put over it.
    for (std::string& doubt : doubts_about(loaded.settings, messages)) {
      if (std::find(known.begin(), known.end(), doubt) == known.end())
        loaded.warnings.push_back(std::move(doubt));
    }
    if (messages.any()) return std::move(messages).to_error();
  }
  warn_of_visible_password(command_line.overrides, loaded);
  warn_of_unknown_variables(variables, loaded);
  warn_of_lonely_container(loaded.files, loaded);
  return loaded;
}

}  // namespace usher::conf
