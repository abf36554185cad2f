#include "proxy/log_plan.h"

#include <algorithm>
#include <utility>

#include "base/log_text.h"

namespace usher::proxy {
namespace {

using conf::Variable;

constexpr std::string_view combined =
    "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent "
    "\"$http_referer\" \"$http_user_agent\"";

// What an empty text is when it is what a variable says, not that it has nothing to say.
bool may_be_empty(Variable variable) {
  return variable == Variable::group || variable == Variable::https ||
         variable == Variable::is_args;
}

Progress at_the_end(const Progress& opened, const AccessRecord& record) {
  Progress end = opened;
  end.now = record.time + record.duration;
  end.elapsed = record.duration;
  end.upstream += record.duration - opened.elapsed;
  end.request_bytes += record.bytes_in;
  end.response_bytes += record.bytes_out;
  end.body_bytes += record.bytes_out;
  return end;
}

}  // namespace

LogPlan::LogPlan(const conf::LogSettings& settings, std::vector<std::shared_ptr<LogFile>> files,
                 std::string node)
    : count_only_(settings.count_only), node_(std::move(node)) {
  auto file = files.begin();
  for (conf::AccessLogSettings& each : conf::access_logs(settings)) {
    const Escape escape = each.escape == "json"   ? Escape::json
                          : each.escape == "none" ? Escape::none
                                                  : Escape::standard;
    const bool json = each.format.source == "json";
    if (each.format.source == "combined") each.format = *conf::parse_template(combined);
    has_texts_ = has_texts_ || (*file && (!json || !each.when.empty()));
    destinations_.push_back({std::move(each.name), std::move(*file++), json, std::move(each.format),
                             escape, std::move(each.when)});
  }
}

void LogPlan::for_each(const routing::Route* route, const VariableSource* from,
                       const auto& visit) const {
  const auto offer = [&](const Destination& to) {
    if (!to.file) return;
    if (!to.when.empty()) {
      // Who sends what an expression gives up on is not to escape the log.
      VariableSource asked = *from;
      std::string undecided;
      asked.undecided = &undecided;
      const std::string said = expand_plainly(to.when, asked);
      if (undecided.empty() && (said.empty() || said == "0")) return;
    }
    visit(to);
  };
  if (!route || route->rules.access_logs.empty()) return offer(destinations_.front());
  const std::vector<std::string>& names = route->rules.access_logs;
  for (const Destination& to : destinations_) {
    if (std::find(names.begin(), names.end(), to.name) != names.end()) offer(to);
  }
}

std::string LogPlan::escaped(const conf::TemplatePart& part, Escape escape,
                             const VariableSource& from) {
  if (part.variable == Variable::text) return part.text;
  std::string value = value_of(part, from);
  if (escape == Escape::none) {
    const size_t length = value.size();
    if (length > longest_log_field) value.replace(longest_log_field, length, cut_note(length));
    return value;
  }
  std::string text;
  if (escape == Escape::json) {
    append_log_string(text, value);
    return text.substr(1, text.size() - 2);
  }
  if (!value.empty() || !may_be_empty(part.variable)) append_escaped(text, value);
  return text;
}

// A path that could be written in another way too may lead elsewhere: it has its line.
bool LogPlan::counts_only(const AccessRecord& record) const {
  const std::string_view path = record.target.substr(0, record.target.find('?'));
  const auto begins = [path](const std::string& prefix) { return path.starts_with(prefix); };
  return std::any_of(count_only_.begin(), count_only_.end(), begins) && record.status < 400 &&
         record.error.empty() && (record.method == "GET" || record.method == "HEAD") &&
         path.find('%') == path.npos && path.find("/.") == path.npos &&
         path.find("//") == path.npos;
}

bool LogPlan::write(const routing::Route* route, const AccessRecord& record,
                    const VariableSource* from) const {
  bool spared = false;
  for_each(route, from, [&](const Destination& to) {
    if (&to == &destinations_.front() && counts_only(record)) {
      spared = true;
      return;
    }
    if (to.json) return to.file->write(to_json(record, node_));
    std::string line;
    for (const conf::TemplatePart& part : to.text.parts)
      line += escaped(part, to.escape, *from);
    to.file->write(line += '\n');
  });
  return !spared;
}

KeptLines::KeptLines(std::shared_ptr<const LogPlan> plan, const routing::Route& route,
                     const VariableSource* from) {
  std::vector<Line> lines;
  plan->for_each(&route, from,
                 [&](const LogPlan::Destination& to) { lines.push_back(begin(to, from)); });
  if (lines.empty()) return;
  plan_ = std::move(plan);
  const LogPlan::Destination& first = *lines.front().to;
  if (lines.size() == 1 && first.json && &first == &plan_->destinations_.front()) return;
  details_ = std::make_unique<const Details>(
      Details{std::move(lines), from ? from->progress : Progress()});
}

KeptLines::Line KeptLines::begin(const LogPlan::Destination& to, const VariableSource* from) {
  Line line{&to, {}, {}};
  if (to.json) return line;
  for (const conf::TemplatePart& part : to.text.parts) {
    if (is_of_progress(part.variable)) {
      line.gaps.push_back({static_cast<uint32_t>(line.text.size()), part.variable});
    } else {
      line.text += LogPlan::escaped(part, to.escape, *from);
    }
  }
  line.text.shrink_to_fit();
  line.gaps.shrink_to_fit();
  return line;
}

void KeptLines::write(const AccessRecord& record) const {
  if (!plan_) return;
  if (!details_) return write({&plan_->destinations_.front(), {}, {}}, record);
  for (const Line& line : details_->lines)
    write(line, record);
}

void KeptLines::write(const Line& line, const AccessRecord& record) const {
  if (line.to->json) return line.to->file->write(to_json(record, plan_->node_));
  const Progress end = at_the_end(details_->opened, record);
  std::string text;
  size_t done = 0;
  for (const Gap& gap : line.gaps) {
    text.append(line.text, done, gap.at - done).append(progress_of(gap.variable, end));
    done = gap.at;
  }
  line.to->file->write(text.append(line.text, done).append("\n"));
}

}  // namespace usher::proxy
