// What the requests of a replayed trace saw, summed up and one by one.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "net/load_client.h"
#include "net/trace_replay.h"

namespace layerboost {

/// What a request is to see at most, in seconds; 0: not asked for.
struct LatencyTargets {
  double ttft = 0, tpot = 0;

  [[nodiscard]] bool any() const { return ttft > 0 || tpot > 0; }
};

/// load_report()'s fields, of which "request_rate" is what was sent a second (from the first request to the last), and:
/// "trace_rate" (times as fast as recorded), "turns", "context", "dropped" (requests too long for it), and
/// "mean_latency_per_token_ms" and the like: E2EL / tokens of the answer.
/// With targets: "ttft_target_ms" and "tpot_target_ms" (null: not asked for), "within_targets" (requests that kept all
/// of them; an answer of one token keeps any TPOT) and "share_within_targets" (of all that were sent: what failed keeps
/// none).
/// With levels (engine/levels.h): "requests_by_level" (by the level that they ended with), "mean_level",
/// and "mean_perplexity_ratio" over generated tokens (null where the server doesn't tell what its levels lose).
/// "requests": for each one in the order of arrival, "arrival" (when it was due) and "start" in seconds since the load
/// began, "prompt_tokens", "generated_tokens", "ttft_ms", "e2el_ms" (both null for one that failed) and "error" (null:
/// none); with turns "session", "turn" and "history_tokens" (of the prompt), with levels "first_level" and "level",
/// too. `perplexity_ratios`: of the levels. Requires: `result` is of `replay`, planned by `rules`.
Json replay_report(const LoadResult& result, const Replay& replay, const ReplayRules& rules,
                   const LatencyTargets& targets, const std::vector<double>& perplexity_ratios = {});

/// A table of several reports: the header, and a line for one.
std::string replay_table_header(const LatencyTargets& targets, bool levels);
std::string replay_table_line(const Json& report);

}  // namespace layerboost
