#include "conf/nginx/logs.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

constexpr std::string_view standard_output[] = {"/dev/stdout", "/proc/self/fd/1"};
constexpr std::string_view standard_error[] = {"stderr", "/dev/stderr", "/proc/self/fd/2"};

LogLevelName level_of(const Directive& error_log) {
  const std::string level = error_log.args.size() > 1 ? error_log.args[1] : "error";
  if (level == "debug") return LogLevelName::debug;
  if (level == "info" || level == "notice") return LogLevelName::info;
  return level == "warn" ? LogLevelName::warning : LogLevelName::error;
}

// "/var/log/nginx/errors.log" -> "errors"
std::string short_name(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  if (path.ends_with(".log")) path.remove_suffix(4);
  std::string name(path.substr(0, 48));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_alpha(c) && !is_digit(c) && c != '_'; },
      '-');
  return name.empty() ? "log" : name;
}

}  // namespace

void Logs::declare(const Scope& http) {
  settings_.log.count_only.clear();  // nginx has a line for each
  for (const Directive& each : *http.block) {
    if (each.name == "log_format") declare_format(each);
  }
  if (const Directive* log = http.find("error_log")) declare_process_log(*log);
  if (!http.find("access_log")) return;
  const auto logs = logs_of(http);
  LogSettings& own = settings_.log;
  if (logs.empty()) {
    own.access = "off";
    return;
  }
  own.access = logs[0].access;
  own.format = logs[0].format;
  own.escape = logs[0].escape;
  own.when = logs[0].when;
}

void Logs::declare_process_log(const Directive& directive) {
  settings_.log.level = level_of(directive);
  const std::string& place = directive.args.front();
  if (std::find(std::begin(standard_error), std::end(standard_error), place) !=
      std::end(standard_error))
    return;
  if (place.starts_with("syslog:") || place.starts_with("memory:")) {
    report_.warning(directive.at, "\"error_log\" goes to one file or to standard error");
  } else {
    settings_.log.process = place;
  }
}

void Logs::declare_format(const Directive& directive) {
  Format made{{}, "default"};
  for (size_t i = 1; i < directive.args.size(); ++i) {
    const std::string& word = directive.args[i];
    if (i > 1 || !word.starts_with("escape=")) {
      made.text += word;
      continue;
    }
    made.escape = word.substr(7);
    const bool known = made.escape == "default" || made.escape == "json" || made.escape == "none";
    if (!known)
      return report_.error(directive.at, "unknown log format escaping " + in_quotes(made.escape));
  }
  const std::string& name = directive.args.front();
  if (name == "combined" || !formats_.emplace(name, std::move(made)).second)
    report_.error(directive.at, "duplicate \"log_format\" name " + in_quotes(name));
}

Template Logs::format_of(const std::string& name, const Directive& directive, std::string& escape) {
  const auto found = formats_.find(name);
  if (found == formats_.end()) {
    if (name != "combined") report_.error(directive.at, "unknown log format " + in_quotes(name));
    return *parse_template("combined");
  }
  Template made = maps_.read(found->second.text, directive.at);
  const auto unknown = std::find_if(made.parts.begin(), made.parts.end(), [&](const auto& part) {
    return part.variable == Variable::group && !maps_.has(part.text);
  });
  if (unknown != made.parts.end()) {
    report_.not_served(directive.at, "the log format " + in_quotes(name) + " has " +
                                         in_quotes("$" + unknown->text) +
                                         ", which is no variable of usher");
    return *parse_template("combined");
  }
  // What is no text with variables has no word for it.
  if (made.source.find('$') == std::string::npos) {
    report_.not_served(directive.at, "the log format " + in_quotes(name) + " has no variable");
    return *parse_template("combined");
  }
  escape = found->second.escape;
  return made;
}

const AccessLogSettings& Logs::read(const Directive& directive) {
  const auto [known, fresh] = read_.try_emplace(&directive);
  if (fresh) read(directive, known->second);
  return known->second;
}

void Logs::read(const Directive& directive, AccessLogSettings& log) {
  const std::string& path = directive.args.front();
  const bool out = std::find(std::begin(standard_output), std::end(standard_output), path) !=
                   std::end(standard_output);
  log.access = out ? "stdout" : path;
  if (path.starts_with("syslog:") || path.find('$') != std::string::npos) {
    report_.not_served(directive.at, "an access log goes to one file or to standard output");
    log.access = "stdout";
  }
  std::string format = "combined";
  for (size_t i = 1; i < directive.args.size(); ++i) {
    const std::string& word = directive.args[i];
    if (word.starts_with("if=")) {
      log.when = maps_.read(word.substr(3), directive.at);
      continue;
    }
    const bool of_buffers = word.starts_with("buffer=") || word.starts_with("flush=");
    if (of_buffers) continue;  // a thread of its own writes them
    if (word == "gzip" || word.starts_with("gzip=")) {
      report_.warning(directive.at, "an access log is not compressed");
    } else if (i == 1) {
      format = word;
    } else {
      return report_.error(directive.at, "invalid parameter " + in_quotes(word));
    }
  }
  log.format = format_of(format, directive, log.escape);
}

std::vector<AccessLogSettings> Logs::logs_of(const Scope& scope) {
  std::vector<AccessLogSettings> logs;
  for (const Directive* directive : scope.all("access_log")) {
    if (directive->args.front() == "off") return {};
    logs.push_back(read(*directive));
  }
  return logs;
}

// The log that is the same but for its name; else it is a new one.
std::string Logs::name_of(const AccessLogSettings& log) {
  auto known = access_logs(settings_.log);
  const auto same = std::find_if(known.begin(), known.end(), [&](AccessLogSettings& other) {
    return other.access == log.access && other.format == log.format && other.escape == log.escape &&
           other.when == log.when;
  });
  if (same != known.end()) return same->name;
  AccessLogSettings made = log;
  made.name = short_name(log.access);
  for (int i = 2; std::any_of(known.begin(), known.end(),
                              [&](const auto& other) { return other.name == made.name; });
       ++i)
    made.name = short_name(log.access) + "-" + std::to_string(i);
  settings_.log.files.push_back(made);
  return made.name;
}

void Logs::choose(const Scope& scope, RouteSettings& route) {
  if (!scope.find("access_log")) return;
  const auto logs = logs_of(scope);
  route.access_log = !logs.empty();
  for (const AccessLogSettings& log : logs)
    route.access_logs.push_back(name_of(log));
  const std::vector<std::string> usual{std::string(main_access_log)};
  if (route.access_logs == usual) route.access_logs.clear();
}

}  // namespace usher::conf::nginx
