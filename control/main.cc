// What the process is made of: the command line, the settings, and then a server or one question to
// a running one.

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/strings.h"
#include "conf/command_line.h"
#include "conf/describe.h"
#include "conf/load.h"
#include "conf/toml_writer.h"
#include "control/account.h"
#include "control/admin_client.h"
#include "control/file_reader.h"
#include "control/server.h"
#include "routing/challenge_store.h"
#include "routing/redis/access.h"
#include "tls/server_context.h"

namespace {

using namespace usher;  // NOLINT: this file is the program

int complain(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return 1;
}

using Reader = std::unique_ptr<control::FileReader>;

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto whole = std::filesystem::absolute(path, error);
  return error ? path : whole.lexically_normal().string();
}

// Root becomes whom the settings name. From then on a process that stays root reads for this one:
// the settings are read again that way, as each reload will.
Result<Reader> give_up_rights(const conf::CommandLine& command_line, conf::Loaded& loaded) {
  const std::string& user = loaded.settings.user;
  if (user.empty()) return Reader();
  const auto account = control::find_account(user);
  if (::geteuid() != 0) {
    if (!account || account->uid != ::geteuid())
      loaded.warnings.push_back("user = \"" + user +
                                "\" has no effect: usher is not started as root");
    return Reader();
  }
  if (!account) return account.error();
  if (account->uid == 0) return Reader();
  if (Outcome done = control::hand_over_files(loaded.settings, *account); !done)
    return std::move(done).error();
  auto reader = control::FileReader::start(command_line, *account);
  if (!reader) return reader;
  if (Outcome done = control::become(*account); !done) return std::move(done).error();
  auto again = conf::load(command_line, conf::process_environment, (*reader)->files());
  if (!again) return std::move(again).error();
  loaded = std::move(*again);
  return reader;
}

int run(const conf::CommandLine& command_line, std::vector<std::string> command) {
  control::Inheritance inherited = control::Inheritance::take();
  const auto fail = [&inherited](const std::string& why) {
    inherited.say_failed(why);
    return complain(why);
  };
  Reader reader;
  if (Fd line = inherited.take_line_to_reader(); line.valid())
    reader = std::make_unique<control::FileReader>(std::move(line));
  const auto load = [&] {
    return conf::load(command_line, conf::process_environment, reader ? reader->files() : Files());
  };
  auto loaded = load();
  if (!loaded) return fail(loaded.error().detail);
  if (!reader) {
    auto started = give_up_rights(command_line, *loaded);
    if (!started) return fail("usher cannot start: " + to_string(started.error()));
    reader = std::move(*started);
  }
  for (const std::string& warning : loaded->warnings)
    std::fprintf(stderr, "%s\n", warning.c_str());
  if (loaded->from_file) loaded->source = absolute(loaded->source);
  auto server = std::make_unique<control::Server>(std::move(*loaded), load, std::move(command),
                                                  std::move(inherited), reader.get());
  const auto code = server->run();
  if (!code) return complain("usher cannot start: " + to_string(code.error()));
  const std::unique_ptr<control::Lineage> lineage = server->take_lineage();
  server.reset();
  return lineage ? lineage->outlive() : *code;
}

int check(const conf::CommandLine& command_line) {
  const auto loaded = conf::load(command_line);
  if (!loaded) return complain(loaded.error().detail);
  const conf::Settings& settings = loaded->settings;
  const Files& files = loaded->files;
  auto credentials = tls::load_credentials(settings.tls, files);
  if (!credentials) return complain(credentials.error().detail);
  if (!credentials->empty()) {
    const auto context = tls::ServerContext::make(settings.tls, std::move(*credentials), {}, files);
    if (!context) return complain(context.error().detail);
  }
  if (const auto store = routing::redis::make_transports(settings.store, files); !store)
    return complain(store.error().detail);
  if (const auto trusted = control::Server::load_replica_tls(settings, files); !trusted)
    return complain(trusted.error().detail);
  if (const auto passwords = control::PasswordKeeper::load(settings, files); !passwords)
    return complain(passwords.error().detail);
  if (!settings.user.empty() && ::geteuid() == 0) {
    if (const auto account = control::find_account(settings.user); !account)
      return complain(account.error().detail);
  }
  const std::string text = conf::describe(*loaded);
  std::fputs(text.c_str(), stdout);
  return 0;
}

// What is doubtful in the nginx.conf stands as a comment at the top of what is written.
int import_nginx(const conf::CommandLine& command_line) {
  conf::CommandLine nginx;
  nginx.command = command_line.command;
  nginx.config = command_line.nginx_file;
  nginx.lenient = command_line.lenient;
  const auto nothing = [](const std::string&) -> std::optional<std::string> { return {}; };
  const auto loaded = conf::load(nginx, nothing, {}, {});
  if (!loaded) return complain(loaded.error().detail);
  std::string text = "# Made by usher import-nginx of " + loaded->source + ".\n";
  for (const std::string& warning : loaded->warnings) {
    std::fprintf(stderr, "%s\n", warning.c_str());
    text += "# " + warning + "\n";
  }
  text += "\n" + conf::to_toml(loaded->settings);
  std::FILE* out =
      command_line.output.empty() ? stdout : std::fopen(command_line.output.c_str(), "w");
  if (!out) return complain(command_line.output + ": " + std::strerror(errno));
  const bool written = std::fputs(text.c_str(), out) >= 0;
  const bool closed = out == stdout ? std::fflush(out) == 0 : std::fclose(out) == 0;
  return written && closed ? 0 : complain(command_line.output + ": " + std::strerror(errno));
}

struct AdminPlace {
  std::string url;
  std::string token;
};

// Where the settings say that a usher on this machine listens, and what it wants to be told. Who
// asks another one may do without settings.
Result<AdminPlace> admin_place(const conf::CommandLine& command_line) {
  const auto loaded = conf::load(command_line);
  if (!command_line.admin_url.empty())
    return AdminPlace{command_line.admin_url, loaded ? loaded->settings.admin.token : ""};
  if (!loaded) return loaded.error();
  const conf::AdminSettings& admin = loaded->settings.admin;
  if (!admin.address)
    return Error{Errc::bad_config, Side::usher, "the admin listener is switched off"};
  conf::Endpoint address = *admin.address;
  if (address.host.empty()) address.host = "127.0.0.1";
  const std::string scheme = address.unix_path.empty() ? "http://" : "";
  return AdminPlace{scheme + to_string(address), admin.token};
}

int ask(const conf::CommandLine& command_line, std::string_view method, const std::string& path,
        std::string_view body = {}) {
  const auto place = admin_place(command_line);
  if (!place) return complain(place.error().detail);
  const auto answer = control::ask_admin(place->url, place->token, method, path, body);
  if (!answer) return complain(place->url + ": " + to_string(answer.error()));
  if (answer->status != 200) return complain(control::refusal_in(answer->body));
  if (command_line.command != conf::Command::status || command_line.json) {
    std::printf("%s\n", answer->body.c_str());
    return 0;
  }
  const auto table = control::status_table(answer->body);
  if (!table) return complain(to_string(table.error()));
  std::fputs(table->c_str(), stdout);
  return 0;
}

// What a hook of an ACME client calls.
int give_token(const conf::CommandLine& command_line) {
  const std::string& token = command_line.token;
  if (!routing::is_challenge_token(token)) return complain(token + ": this is no ACME token");
  const std::string path = "/api/acme/" + token;
  if (command_line.remove) return ask(command_line, "DELETE", path);
  return ask(command_line, "PUT", path, command_line.key_authorization);
}

int dispatch(const conf::CommandLine& command_line, std::vector<std::string> command) {
  switch (command_line.command) {
    case conf::Command::run: return run(command_line, std::move(command));
    case conf::Command::check: return check(command_line);
    case conf::Command::import_nginx: return import_nginx(command_line);
    case conf::Command::version: std::puts("usher " USHER_VERSION); return 0;
    case conf::Command::status: return ask(command_line, "GET", "/api/status");
    case conf::Command::drain:
      return ask(command_line, "POST",
                 "/api/replicas/" + control::as_segment(command_line.replica) + "/drain" +
                     (command_line.within.empty() ? "" : "?within=" + command_line.within));
    case conf::Command::undrain:
      return ask(command_line, "POST",
                 "/api/replicas/" + control::as_segment(command_line.replica) + "/undrain");
    case conf::Command::reload: return ask(command_line, "POST", "/api/reload");
    case conf::Command::acme_token: return give_token(command_line);
    case conf::Command::rotate_secret: return ask(command_line, "POST", "/api/secret/rotate");
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = conf::parse_command_line({argv, static_cast<size_t>(argc)});
  if (const auto* exit = std::get_if<conf::Exit>(&parsed)) {
    std::fputs(exit->text.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  return dispatch(std::get<conf::CommandLine>(parsed), {argv, argv + argc});
}
