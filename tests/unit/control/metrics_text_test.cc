#include "control/metrics_text.h"

#include <gtest/gtest.h>

namespace usher::control {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;

TEST(MetricsText, EscapesWhatWouldEndALabel) {
  EXPECT_EQ(label("path", "~ \\.(png|\"svg\")$\n"), R"(path="~ \\.(png|\"svg\")$\n")");
}

TEST(MetricsText, WritesAFamilyOnceAndItsSamples) {
  MetricsText text;
  text.family("a_total", "counter", "What it counts.");
  text.sample({}, 3);
  text.sample(label("of", "b"), 4);
  EXPECT_EQ(
      text.take(),
      "# HELP a_total What it counts.\n# TYPE a_total counter\na_total 3\na_total{of=\"b\"} 4\n");
}

TEST(MetricsText, CountsAHistogramUpwardsInSeconds) {
  Histogram histogram;
  histogram.record(500us);  // belongs to the class that ends there
  histogram.record(501us);
  histogram.record(1500ms);
  histogram.record(std::chrono::hours(1));
  MetricsText text;
  text.family("t_seconds", "histogram", "h");
  text.sample(label("of", "b"), histogram.read());
  const std::string all = text.take();
  const auto has = [&all](const char* line) { return all.find(line) != std::string::npos; };
  EXPECT_TRUE(has("t_seconds_bucket{of=\"b\",le=\"0.0005\"} 1\n")) << all;
  EXPECT_TRUE(has("t_seconds_bucket{of=\"b\",le=\"0.001\"} 2\n")) << all;
  EXPECT_TRUE(has("t_seconds_bucket{of=\"b\",le=\"1\"} 2\n")) << all;
  EXPECT_TRUE(has("t_seconds_bucket{of=\"b\",le=\"2.5\"} 3\n")) << all;
  EXPECT_TRUE(has("t_seconds_bucket{of=\"b\",le=\"1800\"} 3\n")) << all;
  EXPECT_TRUE(has("t_seconds_bucket{of=\"b\",le=\"+Inf\"} 4\n")) << all;
  EXPECT_TRUE(has("t_seconds_sum{of=\"b\"} 3601.501")) << all;
  EXPECT_TRUE(has("t_seconds_count{of=\"b\"} 4\n")) << all;
}

TEST(Histogram, AddsUp) {
  Histogram one;
  Histogram other;
  one.record(1ms);
  other.record(1ms);
  other.record(2ms);
  Histogram::Reading sum = one.read();
  sum += other.read();
  EXPECT_EQ(sum.total(), 3u);
  EXPECT_EQ(sum.sum, 4ms);
}

}  // namespace
}  // namespace usher::control
