#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/model_export.h"
#include "cli/commands.h"
#include "cli/flag_checks.h"

namespace layerboost {

void add_export_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("export", "Write a planned or healed model as a Hugging Face directory");
  const auto options = std::make_shared<ExportOptions>();
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
  command->callback([options] {
    export_planned_model(*options);
    fmt::print("written to {}; next: layerboost eval {}\n", options->output, options->output);
  });
}

}  // namespace layerboost
