#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "app/check_files.h"
#include "artifact/healed_directory.h"
#include "artifact/model_files.h"
#include "artifact/opened_ladder.h"
#include "artifact/parameters_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/flag_checks.h"
#include "export/export.h"

namespace layerboost {
namespace {

struct ExportFlags {
  std::string model, plan, output;
  std::optional<int> level;
};

/// The parameters of the plan's mixers, by name; where nothing was learnt or measured, those that they start with.
std::map<std::string, NamedParameter> parameters_of(const PlannedFiles& planned, const Config& config) {
  MixerParameters parameters;
  for (int layer = 0; layer < config.layers; ++layer) {
    const MixerSpec& spec = planned.plan.layers[static_cast<std::size_t>(layer)].mixer;
    if (parameter_count(config, spec) > 0)
      parameters[{layer, spec.kind}] = parameters_for(config, layer, spec, planned.parameters);
  }
  return named_parameters(config, parameters, planned.plan.specs());
}

void export_level(const ExportFlags& options) {
  if (!options.plan.empty()) fail("--level {}: not with --plan, for a ladder has its own", *options.level);
  const ModelFiles files = find_ladder_files(options.model);
  const Ladder& ladder = *files.ladder;
  const PlannedFiles planned = read_level_files(files, *options.level);
  const std::optional<LevelQuality>& quality = ladder.quality[static_cast<std::size_t>(*options.level)];
  const bool learnt =
      std::ranges::any_of(planned.plan.specs(), [](const MixerSpec& spec) { return must_be_trained(spec.kind); });
  export_model({*files.checkpoint, files.checkpoint->path(), planned.plan, planned.change.get(),
                parameters_of(planned, files.checkpoint->config()), files.adapter_hash, Json::object(),
                learnt ? ladder.weights_hash : "", quality ? &*quality : nullptr},
               options.output);
}

void export_planned(const ExportFlags& options) {
  const ModelFiles files = find_model_files(options.model, options.plan);
  if (files.plan.empty())
    fail(
        "export {}: a model without a plan; give a directory that heal or boost wrote, --plan, or the --level of a "
        "ladder",
        options.model);
  const PlannedFiles planned = read_planned_files(files);
  const Json healing =
      files.adapter.empty() ? Json::object() : read_healed_directory(files.adapter.parent_path()).figures;
  export_model({*files.checkpoint, files.checkpoint->path(), planned.plan, planned.change.get(),
                parameters_of(planned, files.checkpoint->config()), files.adapter_hash, healing},
               options.output);
}

void run_export(const ExportFlags& options) {
  check_input(options.plan, "plan");
  check_output_directory(options.output, "output");
  if (options.level)
    export_level(options);
  else
    export_planned(options);
  fmt::print("written to {}; next: layerboost eval {}\n", options.output, options.output);
}

}  // namespace

void add_export_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("export", "Write a planned or healed model as a Hugging Face directory");
  const auto options = std::make_shared<ExportFlags>();
  command->add_option("MODEL", options->model, "A directory that heal or boost wrote, or any model with --plan")
      ->required()
      ->type_name("");
  command->add_option("--plan", options->plan, "The plan; default: the directory's own")->type_name("FILE");
  command->add_option("--level", options->level, "A level of MODEL's ladder, in place of a plan")
      ->check(whole_number(0))
      ->type_name("N");
  command->add_option("-o,--output", options->output, "The directory to write")->required()->type_name("DIR");
  command->footer(
      "DIR holds merged weights in bf16 without those that the plan has no use for, the tokenizer, the code that "
      "transformers needs, a model card and the base model's licence:\n"
      "  AutoModelForCausalLM.from_pretrained(DIR, trust_remote_code=True)\n"
      "It is a MODEL for layerboost too, and brings its plan.\n\n"
      "Examples:\n"
      "  layerboost export healed -o smollm2-small\n"
      "  layerboost export model.gguf --plan plan.json -o small\n"
      "  layerboost export smollm2-135m --level 15 -o small");
  command->callback([options] { run_export(*options); });
}

}  // namespace layerboost
