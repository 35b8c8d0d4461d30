// What a load's requests saw, summed up as `vllm bench serve` does.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "net/load_client.h"

namespace layerboost {

/// vLLM's fields: "completed", "failed", "duration", "total_input_tokens", "total_output_tokens", "request_throughput",
/// "output_throughput", "total_token_throughput" (tokens a second), "max_output_tokens_per_s" (of the busiest second),
/// "max_concurrent_requests", and of ttft, tpot, itl and e2el "mean_..._ms", "median_..._ms", "std_..._ms" and
/// "p99_..._ms":
///   TTFT: from a request's start to its first chunk; ITL: between its chunks; E2EL: to its last chunk;
///   TPOT: (E2EL - TTFT) / (tokens - 1), of requests with more than one token.
/// Requests that failed count in "failed" only; "errors" holds what they said, each once. Percentiles are interpolated
/// linearly between neighbours, the deviation is of the population, as numpy has them.
Json load_report(const LoadResult& result, const LoadLevel& level);

/// A table of several reports: the header, and a line for one.
std::string load_table_header();
std::string load_table_line(const Json& report);

/// Returns the TPOT of a request, in seconds. Requires: it is completed and has more than one token.
double time_per_output_token(const LoadOutcome& outcome);

/// Adds "mean_NAME_ms" and the like to `report`.
void add_statistics(Json& report, const std::string& name, const std::vector<double>& seconds);

/// Columns of a table with the mean, the median and the 99th percentile of measures: their headings in two lines, and
/// a report's numbers.
std::string statistics_titles(const std::vector<std::string>& titles);
std::string statistics_headings(std::size_t count);
std::string statistics_columns(const Json& report, const std::vector<std::string>& names);

/// The value below which `percent` of `values` lie, interpolated; 0 for none.
double percentile(std::vector<double> values, double percent);

}  // namespace layerboost
