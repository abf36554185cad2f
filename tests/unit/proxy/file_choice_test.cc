#include "proxy/file_choice.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace usher::proxy {
namespace {

using conf::Template;
using Kind = Found::Kind;

// Files below "/www", and what has been asked of them.
struct World {
  std::map<std::string, Kind> there;
  std::vector<std::string> looked{};
  std::string uri{};

  Found look(const std::string& path) {
    looked.push_back(path);
    const auto found = there.find(path);
    return {found == there.end() ? Kind::nothing : found->second, std::nullopt};
  }
  // $uri, $1 and $host are all that these tests know.
  std::string expand(const Template& text) const {
    std::string made;
    for (const conf::TemplatePart& part : text.parts) {
      const bool group = part.variable == conf::Variable::group;
      made += part.variable == conf::Variable::uri    ? uri
              : part.variable == conf::Variable::host ? "a.example"
              : group                                 ? uri.substr(uri.rfind('/') + 1)
                                                      : part.text;
    }
    return made;
  }
};

Template text_of(const char* text) { return *conf::parse_template(text); }

conf::RouteSettings rules_with(std::vector<const char*> tries,
                               std::vector<const char*> index = {}) {
  conf::RouteSettings rules;
  rules.root = text_of("/www");
  for (const char* each : tries)
    rules.try_files.push_back(text_of(each));
  if (!index.empty()) rules.index.clear();
  for (const char* each : index)
    rules.index.push_back(text_of(each));
  return rules;
}

// "file /a", "folder /a/", "/other?query", "@name" or "404".
std::string choose(const conf::RouteSettings& rules, const std::string& path, World& world) {
  world.uri = path;
  const FileView view{[&](const std::string& at) { return world.look(at); },
                      [&](const Template& text) { return world.expand(text); }, false};
  const FilePlace place(rules, view.expand);
  const FileChoice choice = choose_file(rules, place, path, view);
  switch (choice.kind) {
    case FileChoice::Kind::file: return "file " + choice.path;
    case FileChoice::Kind::named: return "named " + choice.path;
    case FileChoice::Kind::folder: return "folder " + choice.path;
    case FileChoice::Kind::elsewhere:
      return choice.path + (choice.query ? "?" + *choice.query : "");
    case FileChoice::Kind::status: return std::to_string(choice.status);
  }
  return {};
}

std::string choose(const conf::RouteSettings& rules, const std::string& path,
                   std::map<std::string, Kind> there) {
  World world{std::move(there)};
  return choose(rules, path, world);
}

TEST(FileChoice, IsThePathWhereNothingElseIsSaid) {
  const auto rules = rules_with({});
  EXPECT_EQ(choose(rules, "/a.css", {{"/a.css", Kind::file}}), "file /a.css");
  EXPECT_EQ(choose(rules, "/a", {{"/a", Kind::folder}}), "folder /a/");
  EXPECT_EQ(choose(rules, "/a", {}), "404");
  EXPECT_EQ(choose(rules, "/a", {{"/a", Kind::forbidden}}), "403");
  EXPECT_EQ(choose(rules, "/a", {{"/a", Kind::broken}}), "500");
}

TEST(FileChoice, OfAFolderIsTheFirstIndexThatIsThere) {
  const auto rules = rules_with({}, {"a.html", "b.html"});
  EXPECT_EQ(choose(rules, "/x/", {{"/x/b.html", Kind::file}, {"/x/a.html", Kind::file}}),
            "/x/a.html");
  EXPECT_EQ(choose(rules, "/x/", {{"/x/b.html", Kind::file}}), "/x/b.html");
  EXPECT_EQ(choose(rules, "/x/", {{"/x/a.html", Kind::forbidden}, {"/x/b.html", Kind::file}}),
            "403");
  EXPECT_EQ(choose(rules, "/x/", {{"/x/", Kind::folder}}), "403");
  EXPECT_EQ(choose(rules, "/x/", {}), "404");
  EXPECT_EQ(choose(rules_with({}, {"a.html", "/all.html"}), "/x/", {}), "/all.html");
}

TEST(FileChoice, TriesFilesAndFoldersInTheirOrder) {
  const auto rules = rules_with({"$uri", "$uri.html", "$uri/", "=404"});
  EXPECT_EQ(choose(rules, "/a", {{"/a", Kind::file}, {"/a.html", Kind::file}}), "file /a");
  EXPECT_EQ(choose(rules, "/a", {{"/a", Kind::folder}, {"/a.html", Kind::file}}), "file /a.html");
  EXPECT_EQ(choose(rules, "/a", {{"/a", Kind::folder}}), "folder /a/");
  EXPECT_EQ(choose(rules, "/a/", {{"/a/", Kind::folder}, {"/a/index.html", Kind::file}}),
            "/a/index.html");
  EXPECT_EQ(choose(rules, "/a/", {{"/a/", Kind::folder}}), "403");
  EXPECT_EQ(choose(rules, "/", {{"/", Kind::folder}, {"/index.html", Kind::file}}), "/index.html");
  EXPECT_EQ(choose(rules, "/a", {{"/a", Kind::forbidden}}), "404");
  EXPECT_EQ(choose(rules, "/a", {}), "404");
}

TEST(FileChoice, GoesOnElsewhereWhereNoneIsThere) {
  EXPECT_EQ(choose(rules_with({"$uri", "/index.html"}), "/a", {}), "/index.html?");
  EXPECT_EQ(choose(rules_with({"$uri", "/x?path=$uri&y=1"}), "/a", {}), "/x?path=/a&y=1");
  EXPECT_EQ(choose(rules_with({"$uri", "@app"}), "/a", {}), "named @app");
  EXPECT_EQ(choose(rules_with({"/none", "$uri"}), "@app", {}), "@app?");
  EXPECT_EQ(choose(rules_with({"$uri", "=503"}), "/a", {}), "503");
  EXPECT_EQ(
      choose(rules_with({"/", "=404"}), "/a", {{"/", Kind::folder}, {"/index.html", Kind::file}}),
      "/index.html");
}

TEST(FileChoice, LooksOnceForEachOfThem) {
  auto rules = rules_with({"$uri", "$uri.html", "/none/", "$uri/", "=404"}, {"a", "b"});
  World world{{{"/x/", Kind::folder}}};
  EXPECT_EQ(choose(rules, "/x/", world), "403");
  EXPECT_EQ(world.looked,
            (std::vector<std::string>{"/x/", "/x/.html", "/none", "/x/", "/x/a", "/x/b", "/x/"}));
}

TEST(FileChoice, RefusesAMethodWhateverIsThere) {
  World world{{{"/a", Kind::file}}};
  const FileView view{[&](const std::string& at) { return world.look(at); },
                      [&](const Template& text) { return world.expand(text); }, true};
  for (const auto& rules : {rules_with({}), rules_with({"$uri", "=404"})}) {
    const FilePlace place(rules, view.expand);
    world.uri = "/a";
    EXPECT_EQ(choose_file(rules, place, "/a", view).status, 405);
    world.uri = "/b";
    EXPECT_EQ(choose_file(rules, place, "/b", view).status, rules.try_files.empty() ? 405 : 404);
  }
}

struct PlaceRow {
  const char* root;
  const char* alias;
  const char* location;
  const char* path;
  const char* folder;
  const char* below;
};

TEST(FilePlace, IsRootWithThePathOrAliasInThePlaceOfTheRoute) {
  const PlaceRow rows[] = {
      {"/www", "", "/a/", "/a/x", "/www", "/a/x"},
      {"/www/", "", "/", "/x", "/www/", "/x"},
      {"/", "", "/", "/x", "/", "/x"},
      {"/sites/$host/www", "", "/", "/x", "/sites/", "/a.example/www/x"},
      {"", "/img/", "/i/", "/i/x/y.png", "/img/", "/x/y.png"},
      {"", "/srv/img", "/i", "/i/x.png", "/srv/", "/img/x.png"},
      {"", "/srv/img", "/i/", "/i/x.png", "/srv/", "/imgx.png"},
      {"", "/srv/img/", "/i", "/i/x.png", "/srv/img/", "//x.png"},
      {"", "/srv/img/", "/i", "/i../x.png", "/srv/img/", "/../x.png"},
      {"", "/srv/robots.txt", "/robots.txt", "/robots.txt", "/srv/", "/robots.txt"},
      {"", "/srv/$host/", "/i/", "/i/x", "/srv/", "/a.example/x"},
  };
  for (const PlaceRow& row : rows) {
    conf::RouteSettings rules;
    rules.root = text_of(row.root);
    rules.alias = text_of(row.alias);
    rules.path = row.location;
    rules.match = conf::PathMatch::prefix;
    const World world;
    const FilePlace place(rules, [&](const Template& text) { return world.expand(text); });
    EXPECT_EQ(place.folder(), row.folder) << row.alias << row.root;
    EXPECT_EQ(place.below(row.path), row.below) << row.alias << row.root;
  }
}

TEST(FilePlace, OfAnExpressionIsWhatItsAliasSays) {
  conf::RouteSettings rules;
  rules.alias = text_of("/srv/img/$1");
  rules.path = "^/i/(.+)$";
  rules.match = conf::PathMatch::regex;
  World world{{{"/x.png", Kind::file}}};
  EXPECT_EQ(choose(rules, "/i/x.png", world), "file /i/x.png");
  EXPECT_EQ(choose(rules, "/i/y.png", world), "404");
}

TEST(FileChoice, LooksBelowAnAliasForWhatIsTried) {
  auto rules = rules_with({"$uri", "$uri/", "/own.html", "=404"});
  rules.root = {};
  rules.alias = text_of("/img/");
  rules.path = "/i/";
  EXPECT_EQ(choose(rules, "/i/x.png", {{"/x.png", Kind::file}}), "file /i/x.png");
  EXPECT_EQ(choose(rules, "/i/x", {{"/x", Kind::folder}}), "folder /i/x/");
  EXPECT_EQ(choose(rules, "/i/x", {{"//own.html", Kind::file}}), "file /i//own.html");
}

}  // namespace
}  // namespace usher::proxy
