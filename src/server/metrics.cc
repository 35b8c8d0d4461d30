#include "server/metrics.h"

#include <algorithm>
#include <cmath>

#include "base/memory.h"
#include "layerboost/version.h"
#include "server/prometheus_writer.h"

namespace layerboost {
namespace {

/// Metrics that vLLM has, too: each is written under its own name and under vLLM's.
class SharedMetrics {
 public:
  SharedMetrics(PrometheusWriter& out, const ServerInfo& info)
      : out_(out), label_(prometheus_label("model_name", info.models.front())) {}

  void gauge(const char* own, const char* vllm, const char* help, double value) {
    out_.gauge(fmt::format("layerboost_{}", own), "", help, value);
    out_.gauge(fmt::format("vllm:{}", vllm), label_, help, value);
  }
  void counter(const char* own, const char* vllm, const char* help, std::uint64_t value) {
    out_.counter(fmt::format("layerboost_{}", own), "", help, static_cast<double>(value));
    out_.counter(fmt::format("vllm:{}", vllm), label_, help, static_cast<double>(value));
  }
  void histogram(const char* own, const char* vllm, const char* help, const Histogram& value) {
    const std::string name = fmt::format("layerboost_{}", own), other = fmt::format("vllm:{}", vllm);
    out_.begin(name, "histogram", help);
    out_.histogram(name, "", value);
    out_.begin(other, "histogram", help);
    out_.histogram(other, label_, value);
  }
  void finished(const EngineStats& stats) {
    const std::pair<const char*, std::uint64_t> reasons[] = {{"stop", stats.finished_stop},
                                                             {"length", stats.finished_length},
                                                             {"abort", stats.cancelled},
                                                             {"error", stats.failed}};
    const std::string own = "layerboost_requests_finished_total", vllm = "vllm:request_success_total";
    out_.begin(own, "counter", "Sequences that ended, by reason.");
    for (const auto& [reason, count] : reasons)
      out_.value(own, prometheus_label("reason", reason), static_cast<double>(count));
    out_.begin(vllm, "counter", "Sequences that ended, by reason.");
    for (const auto& [reason, count] : reasons)
      out_.value(vllm, label_ + "," + prometheus_label("finished_reason", reason), static_cast<double>(count));
  }

 private:
  PrometheusWriter& out_;
  std::string label_;
};

void write_cache(PrometheusWriter& out, SharedMetrics& shared, const EngineStats& stats) {
  const std::string used = "layerboost_cache_used_bytes";
  out.begin(used, "gauge", "Cache in use, by kind of layer.");
  out.value(used, prometheus_label("kind", "softmax"), static_cast<double>(stats.cache_softmax));
  out.value(used, prometheus_label("kind", "window"), static_cast<double>(stats.cache_window));
  out.value(used, prometheus_label("kind", "state"), static_cast<double>(stats.cache_state));
  out.gauge("layerboost_cache_limit_bytes", "", "Cache that there may be.", static_cast<double>(stats.cache_limit));
  out.gauge("layerboost_cache_reserved_bytes", "", "Memory taken from the system for the cache.",
            static_cast<double>(stats.cache_reserved));
  out.gauge("layerboost_scratch_bytes", "", "Memory that steps compute in, beside weights and cache.",
            static_cast<double>(stats.scratch));
  out.gauge("layerboost_prefix_snapshots", "", "Prefixes that the prefix cache holds.", stats.snapshots);
  const double limit = static_cast<double>(std::max<std::size_t>(stats.cache_limit, 1));
  shared.gauge("cache_used_ratio", "kv_cache_usage_perc", "Part of the cache in use; 1: all of it.",
               static_cast<double>(stats.cache_used()) / limit);
  shared.counter("prefix_queried_tokens_total", "prefix_cache_queries_total",
                 "Prompt tokens looked for in the prefix cache.", stats.prefix_queried_tokens);
  shared.counter("prefix_hit_tokens_total", "prefix_cache_hits_total", "Prompt tokens found in the prefix cache.",
                 stats.prefix_hit_tokens);
}

void write_engine(PrometheusWriter& out, SharedMetrics& shared, const EngineStats& stats) {
  shared.gauge("requests_running", "num_requests_running", "Sequences being written.", stats.running);
  shared.gauge("requests_waiting", "num_requests_waiting", "Sequences in the queue.", stats.waiting);
  shared.finished(stats);
  shared.counter("preemptions_total", "num_preemptions_total", "Sequences put back into the queue for want of memory.",
                 stats.preemptions);
  shared.counter("prompt_tokens_total", "prompt_tokens_total", "Prompt tokens read or found.", stats.prompt_tokens);
  shared.counter("generated_tokens_total", "generation_tokens_total", "Tokens written.", stats.generated_tokens);
  out.counter("layerboost_embeddings_total", "", "Texts that were embedded.", static_cast<double>(stats.embeddings));
  out.counter("layerboost_recomputed_tokens_total", "",
              "Tokens read again: after a pre-emption, or because their text has become long.",
              static_cast<double>(stats.recomputed_tokens));
  out.counter("layerboost_requests_total", "", "Sequences asked for.", static_cast<double>(stats.requests));
  out.counter("layerboost_steps_total", "", "Steps of the engine.", static_cast<double>(stats.steps));
  out.counter("layerboost_step_rows_total", "", "Rows of all steps.", static_cast<double>(stats.rows));
  out.begin("layerboost_step_seconds_total", "counter", "Time spent in steps, by what it went into.");
  for (const StepPhase phase : StepTimes::all())
    out.value("layerboost_step_seconds_total", prometheus_label("phase", name_of(phase)), stats.times.seconds(phase));
}

/// A value for each level.
template <typename Values>
void write_by_level(PrometheusWriter& out, const char* name, const char* type, const char* help, const Values& values) {
  out.begin(name, type, help);
  for (std::size_t level = 0; level < values.size(); ++level)
    out.value(name, prometheus_label("level", std::to_string(level)), static_cast<double>(values[level]));
}

void write_levels(PrometheusWriter& out, const EngineStats& stats, const LevelTable& table) {
  out.gauge("layerboost_level", "",
            "Level of requests that begin now and ask for none (per-request: of the last one); 0: nothing is given up.",
            stats.level);
  write_by_level(out, "layerboost_running_by_level", "gauge", "Sequences being written, by level.",
                 stats.running_by_plan);
  write_by_level(out, "layerboost_requests_finished_by_level_total", "counter",
                 "Sequences that were written to their end, by their last level.", stats.finished_by_plan);
  write_by_level(out, "layerboost_generated_tokens_by_level_total", "counter", "Tokens written, by level.",
                 stats.tokens_by_plan);
  out.counter("layerboost_folds_total", "",
              "Times that a running sequence was folded to a higher level for want of memory.",
              static_cast<double>(stats.folds));
  out.counter("layerboost_folded_bytes_total", "", "Cache that these have freed.",
              static_cast<double>(stats.folded_bytes));
  out.counter("layerboost_folded_prefixes_total", "", "Prefixes of a lower level that requests have used, folded.",
              static_cast<double>(stats.folded_prefixes));
  out.begin("layerboost_level_changes_total", "counter",
            "Changes of the level, by what made it rise; idle: it fell, because less was enough.");
  for (std::size_t cause = 0; cause < level_causes; ++cause)
    out.value("layerboost_level_changes_total", prometheus_label("cause", name_of(static_cast<LevelCause>(cause))),
              stats.level_changes[cause]);
  if (const auto quality = table.quality(stats.tokens_by_plan))
    out.gauge("layerboost_quality_served", "",
              "Perplexity of the levels as measured, of the unchanged model's: the mean over all tokens written.",
              *quality);
}

}  // namespace

int Metrics::seconds_to_wait(const EngineStats& stats) const {
  // With R sequences running, one ends every mean / R seconds.
  return static_cast<int>(std::clamp(std::ceil(whole_request.mean() / std::max(stats.running, 1)), 1.0, 60.0));
}

std::string prometheus_text(const Metrics& metrics, const std::map<int, std::uint64_t>& answers,
                            const EngineStats& stats, const ServerInfo& info) {
  PrometheusWriter out;
  SharedMetrics shared(out, info);
  const std::string labels[] = {prometheus_label("version", LAYERBOOST_VERSION),
                                prometheus_label("model", info.models.front()),
                                prometheus_label("model_hash", info.model_hash),
                                prometheus_label("plan", info.plan),
                                prometheus_label("mixers", info.mixers),
                                prometheus_label("precision", info.precision),
                                prometheus_label("kv", info.kv)};
  out.gauge("layerboost_info", fmt::format("{}", fmt::join(labels, ",")), "What is served; plan: the plan in use.", 1);
  out.gauge("layerboost_max_positions", "", "Tokens of prompt and answer together.", info.positions);
  write_engine(out, shared, stats);
  write_cache(out, shared, stats);
  if (info.levels.is_ladder()) write_levels(out, stats, info.levels);
  shared.histogram("time_to_first_token_seconds", "time_to_first_token_seconds", "From the request to its first token.",
                   metrics.first_token);
  shared.histogram("inter_token_latency_seconds", "inter_token_latency_seconds", "From a token to the next.",
                   metrics.between_tokens);
  shared.histogram("request_seconds", "e2e_request_latency_seconds", "From the request to its last token.",
                   metrics.whole_request);
  out.begin("layerboost_http_answers_total", "counter", "Answers, by HTTP status.");
  for (const auto& [status, count] : answers)
    out.value("layerboost_http_answers_total", prometheus_label("status", std::to_string(status)),
              static_cast<double>(count));
  out.gauge("layerboost_http_connections", "", "Open connections.", metrics.connections);
  out.gauge("process_resident_memory_bytes", "", "Memory of the process.", static_cast<double>(resident_memory()));
  return out.take();
}

}  // namespace layerboost
