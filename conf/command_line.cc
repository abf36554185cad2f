#include "conf/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

namespace usher::conf {
namespace {

constexpr const char* about = "usher, the front door of Open WebUI";
constexpr const char* footer =
    "\nEvery override is also an environment variable: a flag beats the environment, which beats "
    "the\n"
    "file. Without -c: $USHER_CONFIG, ./usher.toml, /etc/usher/usher.toml, else the built-in "
    "defaults.";

// Absent unless it was given: CLI11 knows no optional of its own here.
void add_text(CLI::App& app, const std::string& flags, std::optional<std::string>& target,
              const std::string& help, const std::string& value) {
  app.add_option_function<std::string>(
         flags, [&target](const std::string& text) { target = text; }, help)
      ->type_name(value);
}

void add_config(CLI::App& app, CommandLine& line) {
  app.add_option("-c,--config", line.config, "The file of settings")->type_name("FILE");
}

void add_overrides(CLI::App& app, CommandLine& line) {
  add_config(app, line);
  for (const auto& row : all_overrides()) {
    add_text(app, std::string(row.flag), line.overrides.*row.given,
             std::string(row.help) + " [$" + std::string(row.variable) + "]",
             std::string(row.value));
  }
}

CLI::App* add_command(CLI::App& app, CommandLine& line, const std::string& name,
                      const std::string& help, Command command) {
  auto* sub = app.add_subcommand(name, help);
  sub->callback([&line, command] { line.command = command; });
  return sub;
}

CLI::App* add_admin_command(CLI::App& app, CommandLine& line, const std::string& name,
                            const std::string& help, Command command) {
  auto* sub = add_command(app, line, name, help, command);
  add_config(*sub, line);
  sub->add_option("--admin", line.admin_url, "Where the admin API is; else what the settings say")
      ->type_name("URL");
  return sub;
}

void add_replica(CLI::App& app, CommandLine& line) {
  app.add_option("replica", line.replica, "The replica's id, host:port")
      ->required()
      ->type_name("REPLICA");
}

bool any_override(const Overrides& overrides) {
  const auto rows = all_overrides();
  return std::any_of(rows.begin(), rows.end(), [&overrides](const Override& row) {
    return (overrides.*row.given).has_value();
  });
}

std::string ended(std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

}  // namespace

std::variant<CommandLine, Exit> parse_command_line(std::span<const char* const> arguments) {
  CommandLine line;
  std::string nginx_file;
  std::string output;
  bool version = false;

  CLI::App app(about, "usher");
  app.require_subcommand(0, 1);
  app.footer(footer);
  app.add_flag("--version", version, "Print the version");
  add_overrides(app, line);
  add_overrides(*add_command(app, line, "run", "The front door; the default", Command::run), line);
  add_overrides(
      *add_command(app, line, "check",
                   "Read everything and say what would be served; 1 when something is wrong",
                   Command::check),
      line);
  add_admin_command(app, line, "status", "Replicas, sessions, store", Command::status)
      ->add_flag("--json", line.json, "For programs");
  add_replica(
      *add_admin_command(app, line, "drain", "Send no new client to a replica", Command::drain),
      line);
  add_replica(
      *add_admin_command(app, line, "undrain", "Send clients to it again", Command::undrain), line);
  add_admin_command(app, line, "reload", "Read the settings again, as SIGHUP does",
                    Command::reload);
  add_command(app, line, "version", "Print the version", Command::version);
  auto* import =
      app.add_subcommand("import-nginx", "nginx.conf to usher.toml (not in this version)");
  import->add_option("file", nginx_file)->required()->type_name("FILE");
  import->add_option("-o", output, "Where to write usher.toml")->type_name("OUT");

  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = app.exit(error, out, err);
    return Exit{code == 0 ? 0 : 2, ended(code == 0 ? out.str() : err.str())};
  }

  if (import->parsed()) {
    return Exit{1, "usher: import-nginx is not in this version yet\n"};
  }
  if (version) line.command = Command::version;
  if (line.command != Command::run && line.command != Command::check &&
      any_override(line.overrides)) {
    return Exit{2, "usher: overrides such as --listen belong to run and check\n"};
  }
  return line;
}

}  // namespace usher::conf
