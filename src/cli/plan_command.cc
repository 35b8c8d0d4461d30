#include <CLI/CLI.hpp>
#include <memory>

#include "app/check_files.h"
#include "app/plan_strip.h"
#include "base/error.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "cli/plan_options.h"

namespace layerboost {
namespace {

struct PlanFlags {
  CommonOptions common;
  std::string analysis, output;
  PlanOptions plan;
};

void print(const Plan& plan) {
  const Predicted& predicted = *plan.predicted;
  fmt::print("\n{}\n", draw_plan(plan.specs(), color_wanted()));
  fmt::print("loss      {:.4f} predicted", predicted.loss);
  if (predicted.measured_loss) fmt::print(", {:.4f} measured with all changes together", *predicted.measured_loss);
  fmt::print(" ({})\n", predicted.loss_by);
  fmt::print("memory    {:.1f} % of the cache at {} positions, {:.2f} KB per token\n", predicted.kv_fraction * 100,
             predicted.context, predicted.kv_bytes_per_token / 1000);
  if (predicted.speedup)
    fmt::print("speed     {:.2f} times decoding {} sequences of {}, predicted\n", *predicted.speedup,
               predicted.speedup_batch, predicted.speedup_context);
}

void run_plan(const PlanFlags& options) {
  RunInfo run = start_run(options.common);
  check_output(options.output, "output");
  check_output(options.common.json, "json");
  const MadePlan made = make_plan(options.analysis, options.plan, options.output, options.common.precision, run);
  run.model = made.plan.model_hash;
  run.plan = made.plan.hash();
  print(made.plan);
  if (!options.common.json.empty())
    write_json(options.common.json,
               {{"run", run.to_json()}, {"plan", read_json(options.output)}, {"curve", made.curve}});
  fmt::print("\nwritten to {0}; next: layerboost eval MODEL --plan {0}\n", options.output);
}

}  // namespace

void add_plan_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("plan", "Choose a mixer for each layer from an analysis");
  const auto options = std::make_shared<PlanFlags>();
  command->add_option("FILE", options->analysis, "What layerboost analyze wrote")->required()->type_name("");
  command->add_option("-o,--output", options->output, "The plan's file")->required()->type_name("PLAN");
  add_plan_options(*command, options->plan);
  command
      ->add_option("--by", options->plan.by, "Loss to minimise: kl, nll, task, retrieval; to rank also cosine, entropy")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--context", options->plan.context, "Positions at which memory is counted")
      ->check(whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--model", options->plan.model, "The model; default: where the analysis found it")
      ->type_name("MODEL");
  command->add_option("--text", options->plan.text, "The text given to analyze, for --search joint")->type_name("FILE");
  add_common_options(*command, options->common);
  command->footer(
      "Finds the plan of least predicted loss within the budget. Without a budget: the knee of the loss-memory "
      "curve.\n"
      "Losses of single layers don't add up: --search joint measures whole plans and takes minutes.\n\n"
      "Examples:\n"
      "  layerboost plan analysis.json -o plan.json\n"
      "  layerboost plan analysis.json -o plan.json --kv 0.3 --search joint\n"
      "  layerboost plan analysis.json -o plan.json --softmax 10 --none 4 --keep 0,1\n"
      "  layerboost plan analysis.json -o plan.json --speedup 1.5@64x1024\n"
      "  layerboost plan analysis.json -o plan.json --by-removal --softmax 10 --none 10    as in the paper");
  command->callback([command, options] {
    if (options->plan.search != "joint") refuse_given(*command, {"--text", "--measurements"}, "is for --search joint");
    if (!options->plan.by_removal && options->plan.thresholds.empty())
      refuse_given(*command, {"--middle"}, "is for --by-removal or --thresholds");
    run_plan(*options);
  });
}

}  // namespace layerboost
