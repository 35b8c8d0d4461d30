#include "app/boost_options.h"

#include <algorithm>

#include "app/check_files.h"
#include "base/error.h"
#include "engine/throughput.h"
#include "eval/retrieval.h"
#include "eval/tasks.h"
#include "eval/text_data.h"
#include "generate/bos.h"
#include "heal/heal_text.h"
#include "heal/student.h"

namespace layerboost {
namespace {

/// Positions that a bench of these prompts comes to.
int bench_positions(const SpeedOptions& speed, int prompt) {
  int most = 0;
  for (const int batch : speed.batches)
    most = std::max(most, throughput_positions(batch, prompt, speed.generate, speed.step_tokens));
  return most;
}

void fit_prompts(BoostOptions& options, int positions) {
  std::vector<int>& prompts = options.speed.prompts;
  for (const int prompt : prompts) {
    if (options.prompts_given && bench_positions(options.speed, prompt) > positions)
      fail("`prompt` {}: with {} generated tokens for {} sequences that comes to {} positions, and the model has {}",
           prompt, options.speed.generate,
           *std::max_element(options.speed.batches.begin(), options.speed.batches.end()),
           bench_positions(options.speed, prompt), positions);
  }
  std::erase_if(prompts, [&](int prompt) { return bench_positions(options.speed, prompt) > positions; });
  if (prompts.empty() && !options.prompts_given) prompts.push_back(std::max(1, positions / 4));
}

void fit_retrieval(BoostOptions& options, int positions) {
  std::vector<int>& lengths = options.quality.retrieval;
  for (const int length : lengths)
    if (options.retrieval_given && length >= positions)
      fail("`retrieval` {}: with the answer more than the model's {} positions", length, positions);
  constexpr int answer = 24;  // tokens, at most
  if (!options.retrieval_given) std::erase_if(lengths, [&](int length) { return length + answer > positions; });
}

/// Several steps read it, and so does the next run: a pipe would be empty by then.
void check_rereadable(const std::string& path, const char* option) {
  std::error_code ignored;
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored) && !fs::is_directory(path, ignored))
    fail("`{}` {}: is read several times, so it must be a file", option, path);
}

}  // namespace

void check_boost(const BoostOptions& options) {
  if (!options.estimate && options.output.empty()) fail("`output` DIR is missing: where everything goes");
  (void)speed_target(options.plan);
  check_rereadable(options.analyze.text, "text");
  for (const std::string& file : options.analyze.tasks) check_rereadable(file, "tasks");
  for (const std::string& file : options.quality.texts) check_rereadable(file, "eval-text");
  check_analyze_options(options.analyze);
  (void)read_tasks(options.analyze.tasks, options.analyze.limit);
  check_inputs(options.quality.texts, "eval-text");
  for (const std::string& file : options.quality.texts) (void)read_text(file);
  if (!options.analyze.text.empty()) (void)read_text(options.analyze.text);
  check_output(options.json, "json");
  if (!options.output.empty()) check_output_directory(options.output, "output");
}

void fit_to_model(BoostOptions& options, const Config& config) {
  if (options.heals()) check_sizes_for_healing(config);
  if (config.max_positions > 0) {
    fit_prompts(options, config.max_positions);
    fit_retrieval(options, config.max_positions);
    options.quality.context = std::min(options.quality.context, config.max_positions);
    options.plan.context = std::min(options.plan.context, config.max_positions);
  }
  check_plan_options(options.plan, config, choices_of(options.analyze, config), options.analyze.by, nullptr);
  options.analyze.length = sequence_length(options.analyze, config);
}

void check_with_model(const BoostOptions& options, const Model& model, const CostModel* cost) {
  for (const int length : options.quality.retrieval) check_retrieval(model.text(), length, model.config.max_positions);
  check_retrieval(model, options.analyze);
  if (!options.analyze.text.empty() && options.heals()) {
    const HealOptions heal;
    const int length = std::min(heal.length, model.config.max_positions);
    (void)open_heal_text(model, {{options.analyze.text}, "", length, heal.held_out, 1, options.compute.seed});
  }
  if (cost != nullptr)
    check_plan_options(options.plan, model.config, choices_of(options.analyze, model.config), options.analyze.by, cost);
}

}  // namespace layerboost
