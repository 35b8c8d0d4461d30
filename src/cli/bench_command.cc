#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_argument.h"
#include "cli/speed_report.h"

namespace layerboost {
namespace {

struct Options {
  CommonOptions common;
  std::string model, plan;
  SpeedOptions speed;
};

void bench(const Options& options) {
  RunInfo run = start_run(options.common);
  const OpenedModel opened = open_model_argument(options.model, options.plan, options.common.precision);
  opened.describe(run);
  const Json report = measure_speed(opened, opened.list(), options.speed, true);
  if (options.common.json.empty()) return;
  Json json = {{"run", run.to_json()}};
  json.update(report);
  write_json(options.common.json, json);
}

}  // namespace

void add_bench_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("bench", "Measure speed and memory for many sequences at once");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("MODEL", options->model, "A GGUF file, a model directory, a directory of boost or heal, or a name")
      ->required()
      ->type_name("");
  command->add_option("--plan", options->plan, "Run with this plan")->type_name("PLAN");
  command->add_option("--batch", options->speed.batches, "Sequences at once")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--prompt", options->speed.prompts, "Tokens of each prompt")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  command->add_option("--generate", options->speed.generate, "Tokens that each sequence generates")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_common_options(*command, options->common);
  command->footer(
      "The columns are those of llama-batched-bench: PP tokens of prompt, TG generated, B sequences, T_ seconds, S_ "
      "tokens per second.\n"
      "Below each row, the roof: the same work's matrix products alone, and the time to read weights and caches.\n\n"
      "Examples:\n"
      "  layerboost bench smollm2-135m\n"
      "  layerboost bench smollm2-135m --plan plan.json --batch 64 --prompt 1024,4096 --json speed.json");
  command->callback([options] { bench(*options); });
}

}  // namespace layerboost
