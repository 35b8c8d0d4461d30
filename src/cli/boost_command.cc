// The main job: from a model to a plan and a page that shows what it changes.
#include <CLI/CLI.hpp>
#include <memory>

#include "app/boost_run.h"
#include "cli/analyze_options.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "cli/plan_options.h"
#include "cli/quantity.h"
#include "cli/standard_output.h"

namespace layerboost {

void add_boost_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("boost", "The main job: analyze, plan, heal, eval, bench and report in one go");
  const auto options = std::make_shared<BoostOptions>();
  const auto common = std::make_shared<CommonOptions>();
  options->analyze.tokens = 8 * 1024;
  options->analyze.windows = {64, 256, 512};
  options->plan.search = "joint";
  options->plan.measurements = 24;
  options->quality.retrieval = {512, 1024};
  options->quality.retrieval_places = 4;
  options->quality.retrieval_compared = false;  // boost measures the unchanged model by itself
  command->add_option("MODEL", options->model, "A GGUF file, a model directory, or a name")->required()->type_name("");
  command->add_option("-o,--output", options->output, "Where everything goes; an unfinished job goes on")
      ->type_name("DIR");
  command->add_flag("--estimate", options->estimate, "Only say what each step would take, in time and memory");
  command
      ->add_option_function<std::string>(
          "--heal", [options](const std::string& text) { options->heal = parse_heal_budget(text); },
          "How long to heal: tokens (10M), time (20min), or 0; default: what comes ready-made, else 0")
      ->type_name("N|TIME");
  add_analyze_options(*command, options->analyze);
  add_plan_options(*command, options->plan);
  command
      ->add_option("--eval-text", options->quality.texts, "Texts for perplexity; default: text that the model writes")
      ->delimiter(',')
      ->type_name("FILE,..");
  const CLI::Option* const retrieval =
      command->add_option("--retrieval", options->quality.retrieval, "Lengths of the texts that facts are found in")
          ->delimiter(',')
          ->check(whole_number(1))
          ->type_name("N,..")
          ->capture_default_str();
  command->add_option("--batch", options->speed.batches, "Sequences at once, for bench")
      ->delimiter(',')
      ->type_name("N,..")
      ->check(whole_number(1, 4096))
      ->capture_default_str();
  const CLI::Option* const prompts =
      command->add_option("--prompt", options->speed.prompts, "Tokens of prompts, for bench")
          ->delimiter(',')
          ->type_name("N,..")
          ->check(whole_number(1, 1 << 24))
          ->capture_default_str();
  add_common_options(*command, *common);
  command->footer(
      "Everything is checked first, and what each step will take is said. DIR then holds analysis.json, plan.json (to "
      "read and edit by hand),\n"
      "the adapter that healing learnt, quality and speed with and without them, and report.html; it can be given as "
      "MODEL to eval, bench, generate and info.\n"
      "Where a plan comes ready-made the analysis is only shown, and what windows lose is estimated, as with "
      "--by-gradients.\n"
      "The same command goes on where it stopped; a plan that is there is never replaced.\n\n"
      "Examples:\n"
      "  layerboost boost smollm2-135m -o out\n"
      "  layerboost boost model.gguf --heal 1M --estimate        what that would take\n"
      "  layerboost boost model.gguf -o out --kv 0.3 --heal 20min\n"
      "  layerboost boost model.gguf -o out --kv 0.3 --search joint --tasks arc_easy.jsonl,piqa.jsonl --limit 500\n"
      "  layerboost boost models/llama -o out --speedup 1.5@64x1024 --text corpus.jsonl --eval-text book.txt");
  command->callback([options, common, retrieval, prompts] {
    options->retrieval_given = retrieval->count() > 0;
    options->prompts_given = prompts->count() > 0;
    options->compute = *common;
    options->json = common->json;
    run_boost(*options, print_now);
  });
}

}  // namespace layerboost
