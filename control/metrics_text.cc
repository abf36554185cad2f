#include "control/metrics_text.h"

#include <cstdio>

namespace usher::control {
namespace {

std::string seconds(std::chrono::microseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", std::chrono::duration<double>(time).count());
  return text;
}

}  // namespace

std::string label(std::string_view key, std::string_view value) {
  std::string text(key);
  text += "=\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  text_.append(name).append(" ").append(type).append("\n");
}

void MetricsText::sample(const std::string& labels, uint64_t value) {
  line({}, labels, std::to_string(value));
}

void MetricsText::sample(const std::string& labels, const Histogram::Reading& reading) {
  const std::string others = labels.empty() ? "" : labels + ",";
  uint64_t up_to = 0;
  for (size_t i = 0; i < Histogram::bounds.size(); ++i) {
    up_to += reading.counts[i];
    line("_bucket", others + label("le", seconds(Histogram::bounds[i])), std::to_string(up_to));
  }
  line("_bucket", others + label("le", "+Inf"), std::to_string(reading.total()));
  line("_sum", labels, seconds(reading.sum));
  line("_count", labels, std::to_string(reading.total()));
}

void MetricsText::single(std::string_view name, std::string_view type, std::string_view help,
                         uint64_t value) {
  family(name, type, help);
  sample({}, value);
}

void MetricsText::line(std::string_view suffix, const std::string& labels, std::string_view value) {
  text_.append(name_).append(suffix);
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  text_.append(" ").append(value).append("\n");
}

}  // namespace usher::control
