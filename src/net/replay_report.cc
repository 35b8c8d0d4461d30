#include "net/replay_report.h"

#include <cstddef>
#include <limits>
#include <vector>

#include "base/error.h"
#include "net/load_report.h"

namespace layerboost {
namespace {

double sent_per_second(const std::vector<ReplayedRequest>& requests) {
  const double seconds = requests.empty() ? 0 : requests.back().time - requests.front().time;
  return seconds > 0 ? static_cast<double>(requests.size() - 1) / seconds : std::numeric_limits<double>::infinity();
}

bool keeps(const LoadOutcome& outcome, const LatencyTargets& targets) {
  if (!outcome.error.empty()) return false;
  if (targets.ttft > 0 && outcome.first > targets.ttft) return false;
  return targets.tpot == 0 || outcome.generated_tokens < 2 || time_per_output_token(outcome) <= targets.tpot;
}

void add_targets(Json& report, const std::vector<LoadOutcome>& outcomes, const LatencyTargets& targets) {
  if (!targets.any()) return;
  const auto in_ms = [](double seconds) { return seconds > 0 ? Json(seconds * 1000) : Json(); };
  std::size_t within = 0;
  for (const LoadOutcome& outcome : outcomes) within += keeps(outcome, targets) ? 1 : 0;
  report["ttft_target_ms"] = in_ms(targets.ttft);
  report["tpot_target_ms"] = in_ms(targets.tpot);
  report["within_targets"] = within;
  report["share_within_targets"] = static_cast<double>(within) / static_cast<double>(outcomes.size());
}

void add_levels(Json& report, const std::vector<LoadOutcome>& outcomes, const std::vector<double>& perplexity_ratios) {
  std::vector<int> count;
  double levels = 0, answered = 0, tokens = 0, ratios = 0;
  bool known = true;
  for (const LoadOutcome& outcome : outcomes) {
    if (outcome.level < 0) continue;
    const auto level = static_cast<std::size_t>(outcome.level);
    if (count.size() <= level) count.resize(level + 1);
    ++count[level];
    levels += outcome.level;
    ++answered;
    tokens += outcome.generated_tokens;
    known = known && level < perplexity_ratios.size();
    if (known) ratios += outcome.generated_tokens * perplexity_ratios[level];
  }
  if (answered == 0) return;
  report["requests_by_level"] = count;
  report["mean_level"] = levels / answered;
  report["mean_perplexity_ratio"] = known && tokens > 0 ? Json(ratios / tokens) : Json();
}

Json record(const ReplayedRequest& request, const LoadOutcome& outcome, bool turns) {
  const bool completed = outcome.error.empty();
  Json json = {{"arrival", request.time},
               {"start", outcome.start},
               {"prompt_tokens", outcome.prompt_tokens},
               {"generated_tokens", outcome.generated_tokens},
               {"ttft_ms", completed ? Json(outcome.first * 1000) : Json()},
               {"e2el_ms", completed ? Json(outcome.latency * 1000) : Json()},
               {"error", completed ? Json() : Json(outcome.error)}};
  if (outcome.level >= 0) json.update({{"first_level", outcome.first_level}, {"level", outcome.level}});
  if (turns) json.update({{"session", request.session}, {"turn", request.turn}, {"history_tokens", request.history}});
  return json;
}

}  // namespace

Json replay_report(const LoadResult& result, const Replay& replay, const ReplayRules& rules,
                   const LatencyTargets& targets, const std::vector<double>& perplexity_ratios) {
  LB_CHECK(result.outcomes.size() == replay.requests.size());
  Json report = {
      {"trace_rate", rules.rate}, {"turns", rules.turns}, {"context", rules.context}, {"dropped", replay.dropped}};
  report.update(load_report(result, {.rate = sent_per_second(replay.requests)}));
  report["burstiness"] = nullptr;  // the trace's own
  std::vector<double> per_token;
  for (const LoadOutcome& outcome : result.outcomes)
    if (outcome.error.empty()) per_token.push_back(outcome.latency / outcome.generated_tokens);
  add_statistics(report, "latency_per_token", per_token);
  add_targets(report, result.outcomes, targets);
  add_levels(report, result.outcomes, perplexity_ratios);
  Json& records = report["requests"] = Json::array();
  for (std::size_t i = 0; i < replay.requests.size(); ++i)
    records.push_back(record(replay.requests[i], result.outcomes[i], rules.turns));
  return report;
}

std::string replay_table_header(const LatencyTargets& targets, bool levels) {
  constexpr const char* columns = "{:>6} {:>6} {:>6} {:>5} {:>7} {:>7} {:>8}{}{}{}";
  return fmt::format(columns, "rate", "drop", "done", "fail", "sent", "done", "output",
                     statistics_titles({"TTFT ms", "TPOT ms", "ITL ms", "E2EL/token ms"}),
                     targets.any() ? " |  within" : "", levels ? " |  mean perplex." : "") +
         "\n" +
         fmt::format(columns, "×", "", "", "", "req/s", "req/s", "tok/s", statistics_headings(4),
                     targets.any() ? " | targets" : "", levels ? " | level        ×" : "");
}

std::string replay_table_line(const Json& report) {
  const auto number = [&](const char* name) { return report[name].get<double>(); };
  const std::string sent = report["request_rate"].is_string() ? "-" : fmt::format("{:.2f}", number("request_rate"));
  const std::string within =
      report.contains("share_within_targets") ? fmt::format(" | {:>5.1f} %", number("share_within_targets") * 100) : "";
  std::string level;
  if (report.contains("mean_level")) {
    const Json& ratio = report["mean_perplexity_ratio"];
    level = fmt::format(" | {:>5.1f} {:>8}", number("mean_level"),
                        ratio.is_null() ? "-" : fmt::format("{:.4f}", ratio.get<double>()));
  }
  return fmt::format("{:>6g} {:>6} {:>6} {:>5} {:>7} {:>7.2f} {:>8.1f}{}{}{}", number("trace_rate"),
                     report["dropped"].get<int>(), report["completed"].get<int>(), report["failed"].get<int>(), sent,
                     number("request_throughput"), number("output_throughput"),
                     statistics_columns(report, {"ttft", "tpot", "itl", "latency_per_token"}), within, level);
}

}  // namespace layerboost
