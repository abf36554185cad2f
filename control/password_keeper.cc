#include "control/password_keeper.h"

#include <utility>

namespace usher::control {
namespace {

// As for certificates: noticed, left alone for a look, read.
constexpr Duration look_interval = std::chrono::milliseconds(500);
constexpr size_t most_named = 20;  // in a line of the log

Result<std::shared_ptr<const proxy::PasswordFile>> read(const Files& files,
                                                        const std::string& path) {
  const auto text = files.read(path);
  const auto bad = [&](const std::string& why) {
    return Error{Errc::bad_config, Side::usher, files.called(path) + ": " + why};
  };
  if (!text) return bad(text.error().detail);
  if (text->size() > proxy::PasswordFile::most_bytes) return bad("more than 4 MiB");
  return std::make_shared<const proxy::PasswordFile>(*text);
}

}  // namespace

PasswordKeeper::PasswordKeeper(net::Loop& loop, const Log& log, std::function<void()> changed)
    : log_(log), changed_(std::move(changed)), look_again_(loop, *this) {}

Result<PasswordKeeper::Set> PasswordKeeper::load(const conf::Settings& settings,
                                                 const Files& files) {
  Set set;
  for (const conf::RouteSettings& route : settings.routes) {
    const std::string& path = route.basic_auth.file;
    if (path.empty() || set.contains(path)) continue;
    FileWatch watch({files.mark(path)});
    auto file = read(files, path);
    if (!file) return std::move(file).error();
    set.emplace(path, Kept{std::move(watch), std::move(*file)});
  }
  return set;
}

void PasswordKeeper::use(Set set, Files files) {
  set_ = std::move(set);
  files_ = std::move(files);
  for (const auto& [path, kept] : set_)
    complain(path, *kept.file);
  set_.empty() ? look_again_.stop() : look_again_.start(look_interval);
}

proxy::PasswordFiles PasswordKeeper::files() const {
  proxy::PasswordFiles files;
  for (const auto& [path, kept] : set_)
    files.emplace(path, kept.file);
  return files;
}

void PasswordKeeper::look() {
  look_again_.start(look_interval);
  bool replaced = false;
  for (auto& [path, kept] : set_)
    replaced = look_at(path, kept) || replaced;
  if (replaced) changed_();
}

bool PasswordKeeper::look_at(const std::string& path, Kept& kept) const {
  if (!kept.watch.shows_change({files_.mark(path)})) return false;
  auto next = read(files_, path);
  if (!next) {
    log_.error("passwords_refused", {{"reason", next.error().detail}});
    return false;
  }
  kept.file = std::move(*next);
  log_.info("passwords_loaded", {{"file", path}, {"names", uint64_t{kept.file->size()}}});
  complain(path, *kept.file);
  return true;
}

void PasswordKeeper::complain(const std::string& path, const proxy::PasswordFile& file) const {
  if (file.unusable().empty()) return;
  std::string names;
  for (size_t i = 0; i < std::min(file.unusable().size(), most_named); ++i)
    names += (names.empty() ? "" : ", ") + file.unusable()[i];
  log_.warning(
      "passwords_unusable",
      {{"file", path}, {"names", names}, {"reason", "no known kind of hash: nobody can log in"}});
}

}  // namespace usher::control
