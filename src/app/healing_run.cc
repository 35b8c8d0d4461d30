#include "app/healing_run.h"

#include <system_error>
#include <utility>

#include "app/check_files.h"
#include "artifact/healed_directory.h"
#include "artifact/model_files.h"
#include "artifact/model_store.h"
#include "base/error.h"
#include "base/file.h"
#include "base/leftovers.h"
#include "heal/heal_text.h"

namespace layerboost {
namespace {

/// Checks, before anything is opened, all that can be seen of the options alone.
void check_healing_options(const HealingOptions& options) {
  if (!options.profile && options.output.empty()) fail("`output` DIR is missing: where to write the healed model");
  if (options.compute.precision == Precision::int8) fail("`precision` int8: healing computes in bf16 or f32");
  check_input(options.plan, "plan");
  for (const std::string& file : files_of(options.heal.text)) check_input(file, "text");
  check_input(options.heal.valid, "valid");
  check_output(options.json, "json");
  if (!options.profile) check_output_directory(options.output, "output");
}

/// Returns the plan and the adapter of a healed model, for a run that begins with them. Sets what follows from that in
/// `options`.
HealPlan earlier_run(const ModelFiles& files, HealingOptions& options) {
  if (!options.plan.empty())
    fail("`plan`: {} is healed already, for a plan of its own; to heal another, give the model that it was made from",
         options.model);
  const fs::path directory = files.adapter.parent_path();
  std::error_code ignored;
  if (!options.profile && fs::equivalent(directory, options.output, ignored))
    fail("`output` {}: is what the run begins with; give another directory", options.output);
  options.heal.model_name = read_healed_directory(directory).model_name;
  if (options.heal.match_tokens < 0) options.heal.match_tokens = 0;  // the mixers' own parameters have learnt
  PlannedFiles planned = read_planned_files(files);
  return {std::move(planned.plan), files.plan, std::move(planned.adapter), files.adapter_hash};
}

/// Rank and alpha: as the options say or, where they leave it open, as the adapter that the run begins with has it.
void set_lora(HealingOptions& options, const HealPlan& plan) {
  LoraOptions& lora = options.heal.lora;
  if (plan.from) {
    lora = {plan.from->rank, plan.from->alpha};
    if (options.rank.value_or(lora.rank) != lora.rank)
      fail("`rank` {}: the adapter of {} has rank {}", *options.rank, options.model, lora.rank);
    if (options.alpha.value_or(lora.alpha) != lora.alpha)
      fail("`alpha` {}: the adapter of {} has alpha {}", *options.alpha, options.model, lora.alpha);
    return;
  }
  lora.rank = options.rank.value_or(LoraOptions().rank);
  lora.alpha = options.alpha.value_or(2 * lora.rank);
}

}  // namespace

HealingRun begin_healing(HealingOptions options) {
  check_healing_options(options);
  options.heal.seed = options.compute.seed;
  ModelFiles files = find_model_files(options.model);
  options.heal.model_name = base_name(options.model);
  HealingRun begun;
  if (!files.adapter.empty()) {
    begun.plan = earlier_run(files, options);
    ModelFiles base;
    base.argument = options.model;
    base.checkpoint = files.checkpoint;
    files = base;
  } else if (options.plan.empty()) {
    if (files.plan.empty()) fail("`plan` FILE is missing: the plan to heal");
    options.plan = files.plan.string();  // of a directory that boost wrote
  }
  set_lora(options, begun.plan);
  if (!options.profile) {
    options.heal.ranks->by_first([&] {
      begun.lock = lock_directory(options.output);
      remove_leftovers(options.output);
    });
  }
  begun.run = start_run(options.compute);
  begun.opened = open_original_model(files, options.compute.precision, "heal");
  const Model& model = *begun.opened.model;
  if (!begun.plan.from) begun.plan = {read_plan(options.plan, model.config, model.hash), options.plan};
  begun.run.model = model.hash;
  begun.run.plan = begun.plan.plan.hash();
  begun.options = std::move(options.heal);
  return begun;
}

}  // namespace layerboost
