#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "app/check_files.h"
#include "artifact/healed_directory.h"
#include "artifact/model_files.h"
#include "artifact/parameters_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "export/export.h"

namespace layerboost {
namespace {

struct ExportFlags {
  std::string model, plan, output;
};

/// Of all mixers that have some, be they those that they start with.
std::map<std::string, NamedParameter> parameters_of(const PlannedFiles& planned, const Config& config) {
  MixerParameters parameters;
  for (int layer = 0; layer < config.layers; ++layer) {
    const MixerSpec& spec = planned.plan.layers[static_cast<std::size_t>(layer)].mixer;
    if (parameter_count(config, spec) > 0)
      parameters[{layer, spec.kind}] = parameters_for(config, layer, spec, planned.parameters);
  }
  return named_parameters(config, parameters, planned.plan.specs());
}

void run_export(const ExportFlags& options) {
  check_input(options.plan, "plan");
  check_output_directory(options.output, "output");
  const ModelFiles files = find_model_files(options.model, options.plan);
  if (files.plan.empty())
    fail("export {}: a model without a plan; give a directory that heal or boost wrote, or --plan", options.model);
  const PlannedFiles planned = read_planned_files(files);
  const Json healing =
      files.adapter.empty() ? Json::object() : read_healed_directory(files.adapter.parent_path()).figures;
  export_model({*files.checkpoint, files.checkpoint->path(), planned.plan, planned.change ? &*planned.change : nullptr,
                parameters_of(planned, files.checkpoint->config()), files.adapter_hash, healing},
               options.output);
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
  command->add_option("-o,--output", options->output, "The directory to write")->required()->type_name("DIR");
  command->footer(
      "DIR holds merged weights in bf16 without those that the plan has no use for, the tokenizer, the code that "
      "transformers needs, a model card and the base model's licence:\n"
      "  AutoModelForCausalLM.from_pretrained(DIR, trust_remote_code=True)\n"
      "It is a MODEL for layerboost too, and brings its plan.\n\n"
      "Examples:\n"
      "  layerboost export healed -o smollm2-small\n"
      "  layerboost export model.gguf --plan plan.json -o small");
  command->callback([options] { run_export(*options); });
}

}  // namespace layerboost
