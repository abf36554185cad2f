#include "conf/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <vector>

#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr const char* about = "usher, the front door of Open WebUI";
constexpr const char* footer =
    "Every override is also an environment variable: a flag beats the environment, which beats "
    "the\n"
    "file. Without -c: $USHER_CONFIG, ./usher.toml, /etc/usher/usher.toml, "
    "/etc/nginx/nginx.conf,\n"
    "else the built-in defaults. A file whose name ends in .conf is read as nginx reads it.";

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
  app.add_flag("--lenient", line.lenient,
               "Warn of what is not served of an nginx.conf, and serve the rest [$USHER_LENIENT]");
  for (const auto& row : all_overrides()) {
    if (row.flag.empty()) continue;
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

// Every flag and command, for a misspelt one.
std::vector<std::string> known_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames())
      words.push_back("--" + name);
  }
  for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(sub->get_name());
    for (const auto& word : known_words(*sub))
      words.push_back(word);
  }
  return words;
}

// What CLI11 found wrong, in one line, and where help is.
Exit complaint(const CLI::App& app, const CLI::ParseError& error) {
  std::string text = std::string("usher: ") + error.what();
  const auto words = known_words(app);
  const std::vector<std::string_view> known(words.begin(), words.end());
  for (const auto& argument : app.remaining(true)) {
    if (std::find(words.begin(), words.end(), argument) != words.end()) continue;
    const auto hint = did_you_mean(argument, known);
    if (hint.empty()) continue;
    text = "usher: unknown argument " + in_quotes(argument) + hint;
    break;
  }
  return {2, text + "\nusher --help says more\n"};
}

}  // namespace

std::variant<CommandLine, Exit> parse_command_line(std::span<const char* const> arguments) {
  CommandLine line;
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
  CLI::App* drain =
      add_admin_command(app, line, "drain", "Send no new client to a replica", Command::drain);
  add_replica(*drain, line);
  drain
      ->add_option("--within", line.within,
                   "How long clients with a websocket may stay, such as 10m; 0s: as long as they "
                   "like. Else what the settings say")
      ->type_name("DURATION");
  add_replica(
      *add_admin_command(app, line, "undrain", "Send clients to it again", Command::undrain), line);
  add_admin_command(app, line, "reload", "Read the settings again, as SIGHUP does",
                    Command::reload);
  add_admin_command(app, line, "rotate-secret", "A new secret for cookies, on every node",
                    Command::rotate_secret);
  CLI::App* acme =
      add_admin_command(app, line, "acme-token",
                        "What every node answers to an ACME challenge, for an hour; for the hooks "
                        "of certbot and its like",
                        Command::acme_token);
  acme->add_option("token", line.token, "The challenge's token")->required()->type_name("TOKEN");
  CLI::Option* answer = acme->add_option("key_authorization", line.key_authorization,
                                         "The token, a dot and the thumbprint of the account's key")
                            ->type_name("KEY_AUTHORIZATION");
  CLI::Option* remove = acme->add_flag("--remove", line.remove, "The challenge is over");
  answer->excludes(remove);
  add_command(app, line, "version", "Print the version", Command::version);
  CLI::App* import =
      add_command(app, line, "import-nginx", "An nginx.conf as the usher.toml that does the same",
                  Command::import_nginx);
  import->add_option("file", line.nginx_file, "The nginx.conf")->required()->type_name("FILE");
  import->add_option("-o", line.output, "Where to write; else standard output")->type_name("OUT");
  import->add_flag("--lenient", line.lenient, "Warn of what is not served, and write the rest");

  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return complaint(app, error);
    std::ostringstream help;
    app.exit(error, help, help);
    return Exit{0, help.str()};
  }

  if (version) line.command = Command::version;
  if (line.command == Command::acme_token && line.key_authorization.empty() != line.remove)
    return Exit{2, "usher: acme-token needs the key authorization, or --remove\n"};
  if (line.command != Command::run && line.command != Command::check &&
      any_override(line.overrides)) {
    return Exit{2, "usher: overrides such as --listen belong to run and check\n"};
  }
  return line;
}

}  // namespace usher::conf
