// Prometheus' text format, version 0.0.4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/histogram.h"

namespace usher::control {

// key="value", with what must be escaped in it.
std::string label(std::string_view key, std::string_view value);

class MetricsText final {
 public:
  // What follows are its samples.
  void family(std::string_view name, std::string_view type, std::string_view help);
  // labels: `a="b",c="d"` or empty.
  void sample(const std::string& labels, uint64_t value);
  // Of a family of type histogram, in seconds.
  void sample(const std::string& labels, const Histogram::Reading& reading);
  void single(std::string_view name, std::string_view type, std::string_view help, uint64_t value);
  std::string take() { return std::move(text_); }

 private:
  void line(std::string_view suffix, const std::string& labels, std::string_view value);

  std::string text_;
  std::string name_;
};

}  // namespace usher::control
