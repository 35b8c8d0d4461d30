#include "net/load_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace layerboost {
namespace {

// Chunks that came in the busiest second; a chunk is a token but for servers that join them.
double busiest_second(const std::vector<LoadOutcome>& outcomes) {
  std::map<std::int64_t, double> seconds;
  for (const LoadOutcome& outcome : outcomes) {
    if (!outcome.error.empty()) continue;
    const double tokens_per_chunk = outcome.generated_tokens / static_cast<double>(outcome.intervals.size() + 1);
    double time = outcome.start + outcome.first;
    seconds[static_cast<std::int64_t>(time)] += tokens_per_chunk;
    for (const double interval : outcome.intervals)
      seconds[static_cast<std::int64_t>(time += interval)] += tokens_per_chunk;
  }
  double most = 0;
  for (const auto& [second, tokens] : seconds) most = std::max(most, tokens);
  return most;
}

Json number_or_name(double rate) { return std::isinf(rate) ? Json("inf") : Json(rate); }

}  // namespace

double percentile(std::vector<double> values, double percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double position = percent / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (position - static_cast<double>(below));
}

void add_statistics(Json& report, const std::string& name, const std::vector<double>& seconds) {
  const auto count = static_cast<double>(std::max<std::size_t>(seconds.size(), 1));
  const double mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / count;
  double squares = 0;
  for (const double value : seconds) squares += (value - mean) * (value - mean);
  report["mean_" + name + "_ms"] = mean * 1000;
  report["median_" + name + "_ms"] = percentile(seconds, 50) * 1000;
  report["std_" + name + "_ms"] = std::sqrt(squares / count) * 1000;
  report["p99_" + name + "_ms"] = percentile(seconds, 99) * 1000;
}

double time_per_output_token(const LoadOutcome& outcome) {
  return (outcome.latency - outcome.first) / (outcome.generated_tokens - 1);
}

Json load_report(const LoadResult& result, const LoadLevel& level) {
  std::int64_t completed = 0, input = 0, output = 0;
  std::vector<double> first, per_token, intervals, latencies;
  Json errors = Json::array();
  for (const LoadOutcome& outcome : result.outcomes) {
    if (!outcome.error.empty()) {
      if (std::find(errors.begin(), errors.end(), Json(outcome.error)) == errors.end()) errors.push_back(outcome.error);
      continue;
    }
    ++completed;
    input += outcome.prompt_tokens;
    output += outcome.generated_tokens;
    first.push_back(outcome.first);
    latencies.push_back(outcome.latency);
    intervals.insert(intervals.end(), outcome.intervals.begin(), outcome.intervals.end());
    if (outcome.generated_tokens > 1) per_token.push_back(time_per_output_token(outcome));
  }
  const auto per_second = [&](std::int64_t count) { return static_cast<double>(count) / result.duration; };
  Json report = {{"num_prompts", result.outcomes.size()},
                 {"request_rate", number_or_name(level.rate)},
                 {"burstiness", 1.0},
                 {"max_concurrency", level.concurrency > 0 ? Json(level.concurrency) : Json()},
                 {"duration", result.duration},
                 {"completed", completed},
                 {"failed", static_cast<std::int64_t>(result.outcomes.size()) - completed},
                 {"total_input_tokens", input},
                 {"total_output_tokens", output},
                 {"request_throughput", per_second(completed)},
                 {"output_throughput", per_second(output)},
                 {"total_token_throughput", per_second(input + output)},
                 {"max_output_tokens_per_s", busiest_second(result.outcomes)},
                 {"max_concurrent_requests", result.most_at_once}};
  add_statistics(report, "ttft", first);
  add_statistics(report, "tpot", per_token);
  add_statistics(report, "itl", intervals);
  add_statistics(report, "e2el", latencies);
  report["errors"] = errors;
  return report;
}

std::string statistics_titles(const std::vector<std::string>& titles) {
  std::string line;
  for (const std::string& title : titles) line += fmt::format(" | {:^26}", title);
  return line;
}

std::string statistics_headings(std::size_t count) {
  std::string line;
  for (std::size_t i = 0; i < count; ++i) line += fmt::format(" | {:>8} {:>8} {:>8}", "mean", "median", "p99");
  return line;
}

std::string statistics_columns(const Json& report, const std::vector<std::string>& names) {
  std::string line;
  for (const std::string& name : names)
    line += fmt::format(" | {:>8.1f} {:>8.1f} {:>8.1f}", report["mean_" + name + "_ms"].get<double>(),
                        report["median_" + name + "_ms"].get<double>(), report["p99_" + name + "_ms"].get<double>());
  return line;
}

std::string load_table_header() {
  constexpr const char* columns = "{:>6} {:>5} {:>5} {:>5} {:>7} {:>8} {:>8}{}";
  return fmt::format(columns, "rate", "at", "done", "fail", "req/s", "output", "all",
                     statistics_titles({"TTFT ms", "TPOT ms", "ITL ms", "E2EL ms"})) +
         "\n" + fmt::format(columns, "req/s", "once", "", "", "", "tok/s", "tok/s", statistics_headings(4));
}

std::string load_table_line(const Json& report) {
  const auto number = [&](const std::string& name) { return report[name].get<double>(); };
  const std::string rate = report["request_rate"].is_string() ? "inf" : fmt::format("{:g}", number("request_rate"));
  const std::string most = report["max_concurrency"].is_null() ? "-" : report["max_concurrency"].dump();
  return fmt::format("{:>6} {:>5} {:>5} {:>5} {:>7.2f} {:>8.1f} {:>8.1f}{}", rate, most, report["completed"].get<int>(),
                     report["failed"].get<int>(), number("request_throughput"), number("output_throughput"),
                     number("total_token_throughput"), statistics_columns(report, {"ttft", "tpot", "itl", "e2el"}));
}

}  // namespace layerboost
