#include "app/analysis.h"

#include <algorithm>
#include <optional>

#include "analyze/gradient_estimate.h"
#include "analyze/sweep.h"
#include "app/check_files.h"
#include "artifact/model_files.h"
#include "base/error.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/leftovers.h"
#include "base/log.h"
#include "base/memory.h"
#include "eval/retrieval.h"
#include "kernels/attention_training.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

void check_measures(const AnalyzeOptions& options) {
  const std::vector<std::string>& allowed = analysis_measures();
  for (const std::string& measure : options.by)
    if (std::find(allowed.begin(), allowed.end(), measure) == allowed.end())
      fail("`by`: unknown measure \"{}\"; allowed: {}", measure, fmt::join(allowed, ", "));
  if (options.asks_for("task") && options.tasks.empty()) fail("`by` task needs `tasks` FILE,...");
}

/// The kinds that `to` may name: removal first, then from the most to the least.
std::vector<const MixerDescriptor*> replacement_kinds() {
  std::vector<const MixerDescriptor*> kinds;
  for (const MixerDescriptor* kind : mixer_descriptors())
    if (kind->replacement) kinds.push_back(kind);
  std::stable_partition(kinds.begin(), kinds.end(),
                        [](const auto* kind) { return kind->weights == AttentionParts::none; });
  return kinds;
}

/// The window in each KV head alone, unless the model has but one, or the window is as wide as all that it reads.
void add_one_by_one(MixerSpec window, const Config& config, std::vector<MixerSpec>& choices) {
  if (config.kv_heads == 1) fail("`heads`: the model has a single KV head in each layer");
  if (config.max_positions > 0 && window.window > config.max_positions) return;
  if (config.kv_heads > head_set_size)
    fail("`heads`: the model has {} KV heads; at most {} can be told apart", config.kv_heads, head_set_size);
  for (int head = 0; head < config.kv_heads; ++head) {
    window.full = all_heads(config.kv_heads) & ~set_of_head(head);
    choices.push_back(window);
  }
}

}  // namespace

std::vector<std::string> choice_words() {
  std::vector<std::string> words;
  for (const MixerDescriptor* kind : replacement_kinds()) words.emplace_back(kind->name);
  return words;
}

std::vector<MixerSpec> choices_of(const AnalyzeOptions& options, const Config& config) {
  std::vector<MixerSpec> choices;
  for (const std::string& word : options.to) {
    const MixerDescriptor* const kind = find_kind(word);
    if (kind == nullptr || !kind->replacement)
      fail("`to`: unknown word \"{}\"; allowed: {}", word, fmt::join(choice_words(), ", "));
    if (!has_window(kind->kind)) {
      choices.push_back(parse_mixer(word));
      continue;
    }
    for (const int window : options.windows) {
      MixerSpec spec = parse_mixer(fmt::format("{}:{}", word, window));
      if (has_sinks(spec.kind)) spec.sinks = options.sinks;
      choices.push_back(parse_mixer(to_string(spec)));
      if (options.heads && has_full_heads(spec.kind)) add_one_by_one(spec, config, choices);
    }
  }
  std::sort(choices.begin(), choices.end());
  choices.erase(std::unique(choices.begin(), choices.end()), choices.end());
  return choices;
}

void check_analyze_options(const AnalyzeOptions& options) {
  const auto by_head = [](const std::string& word) {
    const MixerDescriptor* const kind = find_kind(word);
    return kind != nullptr && kind->full_heads;
  };
  if (options.heads && std::none_of(options.to.begin(), options.to.end(), by_head))
    fail("`heads` is for `to` {}", kinds_with_full_heads());
  choices_of(options, Config());
  check_measures(options);
  check_input(options.text, "text");
  for (const std::string& file : options.tasks) check_input(file, "tasks");
}

int sequence_length(const AnalyzeOptions& options, const Config& config) {
  if (config.max_positions <= 0 || options.length <= config.max_positions) return options.length;
  note("`length` {}: the model has {} positions, and so many tokens has a sequence", options.length,
       config.max_positions);
  return config.max_positions;
}

void check_retrieval(const Model& model, const AnalyzeOptions& options) {
  if (!options.asks_for("retrieval")) return;
  const int positions = model.config.max_positions;
  const int length = positions > 0 ? std::min(options.length, positions) : options.length;
  try {
    check_retrieval(model.text(), length - retrieval_room, 0);
  } catch (const Error& error) {
    fail("`length` {}: too short for the questions of `by` retrieval ({})", length, error.what());
  }
}

bool estimates_to_show(const Model& model, const AnalyzeOptions& options, const fs::path& output) {
  if (options.by_gradients) return true;
  std::error_code ignored;
  if (!fs::exists(output, ignored))
    return can_estimate(model.config, model.precision) && 2 * estimate_bytes(model, options.length) <= free_memory();
  try {
    return read_analysis(output).data.estimated;
  } catch (const Error&) {  // the analysis itself will say what is wrong
    return false;
  }
}

Analysis run_analysis(const OpenedModel& opened, const AnalyzeOptions& options, std::uint64_t seed,
                      const fs::path& output, const RunInfo& run) {
  check_measures(options);
  const int length = sequence_length(options, opened.model->config);
  check_retrieval(*opened.model, options);
  if (options.by_gradients && !can_estimate(opened.model->config, opened.model->precision))
    fail(
        "`by-gradients`: there are gradients in bf16 and f32, of layers whose sizes are multiples of 16 and heads of "
        "at "
        "most {} numbers",
        most_trained_head_size);
  const SweepOptions sweep{choices_of(options, opened.model->config),
                           options.by,
                           read_tasks(options.tasks, options.limit),
                           options.by_gradients,
                           seed,
                           options.ranks};
  const Calibration calibration = make_calibration(
      *opened.model,
      {options.text, options.tokens, length, options.asks_for("retrieval") ? options.retrieval_items : 0, seed});
  return run_sweep(*opened.model, *opened.mixers, calibration, sweep, output, [&] { return run.to_json(); });
}

Analysis analyze_model(const AnalysisJob& job) {
  RunInfo run = start_run(job.compute);
  check_analyze_options(job.analyze);
  check_output(job.output, "output");
  check_output(job.json, "json");
  const Ranks& ranks = job.analyze.ranks != nullptr ? *job.analyze.ranks : Ranks::alone();
  std::optional<FileLock> lock;
  ranks.by_first([&] {
    std::string holder;
    lock = FileLock::take(job.output + ".lock", holder);
    if (!lock) fail("{} is being made by {}; wait until it has ended, or name another file", job.output, holder);
    const fs::path output = fs::absolute(job.output);
    remove_leftovers(output.parent_path(), output.stem().string() + ".");
  });
  const OpenedModel opened = open_original_model(find_model_files(job.model), job.compute.precision, "analyze");
  run.model = opened.model->hash;
  return run_analysis(opened, job.analyze, job.compute.seed, job.output, run);
}

}  // namespace layerboost
