#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "app/check_files.h"
#include "artifact/opened_ladder.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "eval/quality.h"

namespace layerboost {
namespace {

struct EvalOptions {
  std::string model, plan, bos = "auto";
  std::optional<int> level;
  QualityOptions quality;
  CommonOptions common;
};

void run_eval(EvalOptions& options) {
  QualityOptions& quality = options.quality;
  if (quality.texts.empty() && quality.tasks.empty() && quality.passkey.empty() && quality.retrieval.empty())
    fail("nothing to measure: give --text FILE, --tasks FILE,.. or --retrieval 512,1024; see layerboost eval --help");
  RunInfo run = start_run(options.common);
  check_input(options.plan, "plan");
  check_inputs(quality.texts, "text");
  check_inputs(quality.tasks, "tasks");
  check_output(options.common.json, "json");
  quality.bos = parse_bos_mode(options.bos);
  quality.seed = options.common.seed;
  const OpenedModel opened =
      open_model_argument(options.model, options.plan, options.level, options.common.precision, options.common.kv);
  opened.describe(run);
  std::optional<UnchangedModel> unchanged;
  if (!quality.texts.empty() || !quality.retrieval.empty()) unchanged.emplace(opened);
  const QualityReport report = measure_quality(opened.run(), unchanged ? unchanged->get() : nullptr, quality);
  fmt::print("{}", to_table(report));
  if (options.common.json.empty()) return;
  Json json = to_json(report);
  json["run"] = run.to_json();
  write_json(options.common.json, json);
}

}  // namespace

void add_eval_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("eval", "Measure a model's quality, with a plan or as it is");
  const auto options = std::make_shared<EvalOptions>();
  QualityOptions& quality = options->quality;
  add_model_option(*command, options->model);
  command->add_option("--plan", options->plan, "Run with this plan, and measure how far it is from the model as it is")
      ->type_name("FILE");
  add_level_option(*command, options->level);
  command->add_option("--text", quality.texts, "Perplexity on each of these texts: JSON Lines with \"text\", or plain")
      ->delimiter(',')
      ->type_name("FILE,..");
  command->add_option("--tasks", quality.tasks, "Accuracy on these JSON Lines files (docs/formats/tasks.md)")
      ->delimiter(',')
      ->type_name("FILE,..");
  command
      ->add_option("--passkey", quality.passkey,
                   "Find a number in texts of these lengths, in tokens: one wording, by which plans are chosen")
      ->delimiter(',')
      ->check(whole_number(1))
      ->type_name("N,..");
  command
      ->add_option("--retrieval", quality.retrieval,
                   "Find facts in texts of these lengths, in tokens: 18 wordings that no plan is chosen by, at ten "
                   "depths, plain and in a chat")
      ->delimiter(',')
      ->check(whole_number(1))
      ->type_name("N,..");
  command
      ->add_option(
          "--agreement", quality.agreement,
          "Whether the plan's model writes what the unchanged one writes: so many pieces of the text, plain and "
          "in a chat")
      ->check(whole_number(1))
      ->type_name("N");
  command->add_option("--limit", quality.limit, "Only the first N windows of each text and N items of each task")
      ->check(whole_number(1))
      ->type_name("N");
  command->add_option("--context", quality.context, "Tokens of a window of the text")
      ->check(whole_number(2))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--stride", quality.stride, "Tokens from one window to the next; unless given, they don't overlap")
      ->check(whole_number(1))
      ->type_name("N");
  command
      ->add_option("--bos", options->bos,
                   "Begin texts with the BOS token: auto (as the tokenizer does), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""))
      ->type_name("MODE")
      ->capture_default_str();
  add_common_options(*command, options->common);
  add_kv_option(*command, options->common);
  command->footer(
      "Every mean comes with its standard error. With a plan or a level, the text also gives the KL divergence from "
      "the model as "
      "it is, and --retrieval the share that is kept of what that finds. Facts are hidden in the first text, too, "
      "where there is one.\n\n"
      "Examples:\n"
      "  layerboost eval smollm2-135m --text book.txt,letters.txt --limit 16\n"
      "  layerboost eval smollm2-135m --plan plan.json --tasks arc_easy.jsonl,piqa.jsonl --retrieval 512,1024\n"
      "  layerboost eval ladder/ --level 8 --text book.txt\n"
      "  layerboost eval model.gguf --text corpus.jsonl --context 2048 --precision f32 --json result.json");
  command->callback([command, options] {
    if (options->quality.texts.empty()) {
      refuse_given(*command, {"--context", "--stride", "--agreement"}, "is for --text");
      if (options->quality.tasks.empty()) refuse_given(*command, {"--limit"}, "is for --text and --tasks");
    }
    run_eval(*options);
  });
}

}  // namespace layerboost
