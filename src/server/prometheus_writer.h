// Prometheus' text format.
#pragma once

#include <string>
#include <string_view>

#include "server/histogram.h"

namespace layerboost {

class PrometheusWriter {
 public:
  /// Begins a metric of `type` ("counter", "gauge", "histogram"); its values follow.
  void begin(std::string_view name, std::string_view type, std::string_view help);
  /// `labels`: `kind="softmax"`, made with label(), joined by commas; empty: none.
  void value(std::string_view name, std::string_view labels, double value);
  /// The buckets, sum and count of a histogram.
  void histogram(std::string_view name, std::string_view labels, const Histogram& histogram);

  /// begin() and value() of a metric with one value.
  void counter(std::string_view name, std::string_view labels, std::string_view help, double single);
  void gauge(std::string_view name, std::string_view labels, std::string_view help, double single);

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// name="value", escaped.
std::string prometheus_label(std::string_view name, std::string_view value);

}  // namespace layerboost
