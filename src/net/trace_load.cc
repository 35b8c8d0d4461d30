#include "net/trace_load.h"

#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/log.h"
#include "base/progress.h"
#include "net/arrival_trace.h"
#include "net/load_report.h"
#include "net/load_start.h"

namespace layerboost {
namespace {

/// The rules of each level.
std::vector<ReplayRules> rules_of(const TraceLoadOptions& options) {
  std::vector<ReplayRules> levels;
  for (const double rate : options.rates) levels.emplace_back(options.rules).rate = rate;
  return levels;
}

std::vector<std::string> bodies_of(const Replay& replay, const TraceLoadOptions& options, std::uint64_t seed) {
  std::vector<std::string> bodies;
  const std::vector<std::vector<int>> prompts = replay_prompts(replay, options.vocabulary, seed);
  for (std::size_t i = 0; i < prompts.size(); ++i)
    bodies.push_back(completion_body(options.target, prompts[i], replay.requests[i].generated).dump());
  return bodies;
}

LoadResult send_replay(const Replay& replay, const TraceLoadOptions& options, std::uint64_t seed) {
  std::vector<int> prompt_tokens;
  std::vector<double> times;
  for (const ReplayedRequest& request : replay.requests) {
    prompt_tokens.push_back(request.sent());
    times.push_back(request.time);
  }
  Progress progress("requests", static_cast<std::int64_t>(times.size()), "requests");
  return run_load_at(options.target, bodies_of(replay, options, seed), prompt_tokens, std::move(times),
                     [&](const LoadOutcome&) { progress.advance(); });
}

void try_first(const Replay& replay, const TraceLoadOptions& options, std::uint64_t seed) {
  const Replay first{{replay.requests.front()}, 0};
  const ReplayedRequest& request = first.requests.front();
  try_server(options.target, bodies_of(first, options, ~seed).front(), request.sent(), request.generated);
}

}  // namespace

Json replay_trace(TraceLoadOptions options, std::uint64_t seed, const Print& print) {
  const std::vector<TracedRequest> trace = read_trace(options.trace);
  const ServedModels served = complete_target(options.target, options.vocabulary);
  int& context = options.rules.context;
  if (context == 0) context = served.context;
  if (context == 0)
    fail("{} doesn't say how many tokens a prompt and its answer may have together: say it by `context`",
         options.target.url);
  std::vector<std::pair<ReplayRules, Replay>> levels;
  for (const ReplayRules& rules : rules_of(options)) {
    const Replay& replay = levels.emplace_back(rules, plan_replay(trace, rules, seed)).second;
    if (replay.requests.empty())
      fail("{}: none of its first {} requests fits into `context` {}", options.trace, replay.dropped, context);
  }
  try_first(levels.front().second, options, seed);
  print(fmt::format("{} at {}: requests of {}, of up to {} tokens with their answers{}\n{}\n",
                    printable(options.target.model, 200), options.target.url, printable(options.trace, 200), context,
                    options.rules.turns ? ", in sessions that send what was said again" : "",
                    replay_table_header(options.targets, served.has_levels)));
  Json results = Json::array();
  for (const auto& [rules, replay] : levels) {
    // Other prompts for each level: nothing of the one before may be found in the server's cache.
    const LoadResult result = send_replay(replay, options, seed + results.size());
    Json report = report_head(options.target, "");
    report["trace"] = options.trace;
    report.update(replay_report(result, replay, rules, options.targets, served.perplexity_ratios));
    print(fmt::format("{}\n", replay_table_line(report)));
    if (!report["errors"].empty()) warn("{}", report["errors"].front().get<std::string>());
    results.push_back(std::move(report));
  }
  return {{"results", std::move(results)}};
}

}  // namespace layerboost
