// What an Exchange makes of a route with files: the file, a redirect to its folder, or another path
// with which the request goes on.

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "protocol/conditions.h"
#include "protocol/http_date.h"
#include "protocol/request_path.h"
#include "proxy/exchange.h"
#include "proxy/file_choice.h"
#include "proxy/requester.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

// nginx's number.
constexpr unsigned most_detours = 10;
// Of a file, in one turn.
constexpr int most_pieces = 16;
constexpr size_t least_piece = 1024;

std::string content_range(std::string_view part, uint64_t size) {
  return "bytes " + std::string(part) + "/" + std::to_string(size);
}

std::string with_query(std::string path, std::string_view query) {
  return query.empty() ? path : path.append("?").append(query);
}

}  // namespace

void Exchange::respond_with_file() {
  const auto expand = [this](const conf::Template& text) {
    return expand_plainly(text, variables(nullptr));
  };
  const FilePlace place(route_->rules, expand);
  const FileTree tree(place.folder());
  const routing::Entrance& entrance = client_.role().entrance;
  const bool gets = request_.method == "GET" || request_.method == "HEAD";
  const FileView view{[&tree](const std::string& path) { return tree.look(path); }, expand,
                      !gets && request_.method != "POST"};
  FileChoice choice =
      choose_file(route_->rules, place, protocol::path_of_target(served_target_), view);
  if (fail_undecided()) return;
  const std::string_view query = cut(served_target_, '?').second.value_or("");
  switch (choice.kind) {
    case FileChoice::Kind::elsewhere:
      return go_on_with(choice.path, choice.query ? *choice.query : query);
    case FileChoice::Kind::named:
      return go_on_at(snapshot_->routes.find_named(asked_authority_, choice.path, entrance),
                      choice.path);
    case FileChoice::Kind::status:
      if (choice.status == no_answer) return close_without_answer();
      if (choice.status == 405) return respond(make_only_get(wants_page(request_)));
      return respond(make_status_response(choice.status, wants_page(request_)));
    case FileChoice::Kind::folder:
    case FileChoice::Kind::file: break;
  }
  if (choice.file && !gets) return respond(make_only_get(wants_page(request_)));
  if (choice.file) return respond_with(std::move(*choice.file), choice.path);
  respond(make_redirect(with_query(protocol::escape_path(choice.path), query), 301));
}

// As if the client had asked for it. What stands in the query may have come from a decoded path.
void Exchange::go_on_with(const std::string& path, std::string_view query) {
  const std::string rooted = path.starts_with('/') ? path : "/" + path;
  served_target_ = request_.headers.keep(
      with_query(protocol::escape_path(rooted), protocol::escape_query(query)));
  request_.target = served_target_;
  go_on_at(snapshot_->routes.find(asked_authority_, served_target_, client_.role().entrance), path);
}

// With the rules of that route, and its access. Limits count once.
void Exchange::go_on_at(const routing::Route* route, std::string_view name) {
  if (++detours_ > most_detours)
    return fail({Errc::detour_loop, Side::usher, "at last to " + std::string(name)});
  route_ = route;
  if (Outcome served = follow_route(); !served) fail(std::move(served).error());
}

void Exchange::respond_with(StaticFile file, std::string_view path) {
  const conf::RouteSettings& rules = route_->rules;
  const protocol::Validators validators{rules.etag ? file.etag() : std::string(), file.modified()};
  const auto condition = protocol::condition_of(request_.headers, validators);
  if (condition == protocol::Condition::failed)
    return respond(make_status_response(412, wants_page(request_)));

  protocol::ResponseHead head;
  head.status = 200;
  head.headers.append("Last-Modified", protocol::http_date(validators.modified));
  if (rules.etag) head.headers.append("ETag", validators.etag);
  if (condition == protocol::Condition::not_modified) {
    head.status = 304;
  } else if (!describe_body(head, file, validators, path)) {
    OwnResponse refused = make_status_response(416, wants_page(request_));
    refused.head.headers.append("Content-Range", content_range("*", file.size()));
    return respond(std::move(refused));
  }
  head.reason = reason_of(head.status);
  if (!begin_response(head)) return;
  if (head.status == 304 || request_.method == "HEAD") return finish_response({});
  file_ = std::make_unique<FileBody>(std::move(file), worker_.loop(), *this);
  send_file();
}

// False: the range that is asked for is not in the file. A range is for GET alone (RFC 9110 section
// 14.2).
bool Exchange::describe_body(protocol::ResponseHead& head, StaticFile& file,
                             const protocol::Validators& validators, std::string_view path) const {
  using Kind = protocol::RangeAsked::Kind;
  protocol::RangeAsked range;
  if (request_.method == "GET")
    range = protocol::range_of(request_.headers, validators, file.size());
  if (range.kind == Kind::unsatisfiable) return false;
  const conf::RouteSettings& rules = route_->rules;
  const std::string_view type = snapshot_->file_types.type_of(rules.types, path);
  head.headers.append("Content-Type", type.empty() ? rules.content_type : type);
  head.body = {protocol::BodyKind::length, file.size()};
  if (range.kind == Kind::whole) {
    head.headers.append("Accept-Ranges", "bytes");
    return true;
  }
  head.status = 206;
  head.headers.append("Content-Range",
                      content_range(std::to_string(range.first) + "-" +
                                        std::to_string(range.first + range.length - 1),
                                    file.size()));
  head.body.length = range.length;
  file.narrow(range.first, range.length);
  return true;
}

// As much as the client takes now; on_client_writable() follows. What compresses well it takes
// without end: others have their turn.
void Exchange::send_file() {
  std::array<char, size_t{16} * 1024> buffer;
  for (int pieces = 0; !client_.above_high_mark(); ++pieces) {
    if (pieces == most_pieces) return file_->next_turn.start(Duration(0));
    const size_t most = std::min(buffer.size(), std::max(client_.room(), least_piece));
    const auto piece = file_->file.read(std::span(buffer).first(most));
    if (!piece) return fail(piece.error());
    if (piece->empty()) return finish_response({});
    send_body(*piece);
  }
}

}  // namespace usher::proxy
