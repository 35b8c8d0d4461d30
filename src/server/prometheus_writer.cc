#include "server/prometheus_writer.h"

#include <fmt/format.h>

#include <cmath>

namespace layerboost {
namespace {

std::string number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{}", static_cast<long long>(value));
  return fmt::format("{}", value);
}

}  // namespace

void PrometheusWriter::begin(std::string_view name, std::string_view type, std::string_view help) {
  text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

void PrometheusWriter::value(std::string_view name, std::string_view labels, double value) {
  text_ += labels.empty() ? fmt::format("{} {}\n", name, number(value))
                          : fmt::format("{}{{{}}} {}\n", name, labels, number(value));
}

void PrometheusWriter::histogram(std::string_view name, std::string_view labels, const Histogram& histogram) {
  const std::string bucket = fmt::format("{}_bucket", name);
  const auto with_bound = [&](const std::string& bound) {
    return fmt::format("{}{}le=\"{}\"", labels, labels.empty() ? "" : ",", bound);
  };
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    below += histogram.counts()[i];
    value(bucket, with_bound(number(histogram.bounds()[i])), static_cast<double>(below));
  }
  value(bucket, with_bound("+Inf"), static_cast<double>(histogram.count()));
  value(fmt::format("{}_sum", name), labels, histogram.sum());
  value(fmt::format("{}_count", name), labels, static_cast<double>(histogram.count()));
}

void PrometheusWriter::counter(std::string_view name, std::string_view labels, std::string_view help, double single) {
  begin(name, "counter", help);
  value(name, labels, single);
}

void PrometheusWriter::gauge(std::string_view name, std::string_view labels, std::string_view help, double single) {
  begin(name, "gauge", help);
  value(name, labels, single);
}

std::string prometheus_label(std::string_view name, std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return fmt::format("{}=\"{}\"", name, escaped);
}

}  // namespace layerboost
