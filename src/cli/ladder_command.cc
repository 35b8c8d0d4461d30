#include <CLI/CLI.hpp>
#include <memory>

#include "app/check_files.h"
#include "app/ladder_maker.h"
#include "app/ladder_table.h"
#include "base/error.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "cli/quantity.h"

namespace layerboost {
namespace {

struct LadderFlags {
  CommonOptions common;
  LadderOptions ladder;
  std::string train_tokens = "300K";
};

void run_ladder(LadderFlags& options) {
  check_output(options.common.json, "json");
  options.ladder.compute = options.common;
  options.ladder.quality.seed = options.common.seed;
  options.ladder.chain.tokens = parse_count(options.train_tokens, "--train-tokens");
  const Ladder ladder = make_ladder(options.ladder);
  const fs::path& directory = options.ladder.output;
  fmt::print("\n{}\n{}", draw_ladder(ladder, color_wanted()), describe_measured(ladder));
  if (!options.common.json.empty()) write_json(options.common.json, read_json(ladder_file(directory)));
  fmt::print("\nwritten to {}", directory.string());
  if (ladder.top() > 0)
    fmt::print("; next: layerboost eval {} --level {} --text FILE", directory.string(), std::max(1, ladder.top() / 2));
  fmt::print("\n");
}

void add_choosing_options(CLI::App& command, LadderOptions& options) {
  command
      .add_option("--to", options.to, "What layers are changed to; of several, first to those that keep most: MIXER,..")
      ->delimiter(',')
      ->type_name("MIXER,..")
      ->capture_default_str();
  command.add_option("--rungs", options.rungs, "So many changes; default: three quarters of what is possible")
      ->check(whole_number(1, 1 << 16))
      ->type_name("N");
  command.add_option("--keep", options.keep, "Layers that don't change")
      ->delimiter(',')
      ->check(whole_number(0))
      ->type_name("I,..");
  command.add_option("--text", options.text, "Text to choose by (JSON Lines or plain); default: the model writes some")
      ->type_name("FILE");
  command.add_option("--tokens", options.tokens, "Tokens of it")
      ->check(whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--length", options.length, "Tokens of one sequence")
      ->check(whole_number(32, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--retrieval-weight", options.retrieval_weight,
                  "Weight of lost answers (retrieval) beside the loss on text")
      ->check(number(0))
      ->type_name("X")
      ->capture_default_str();
  command
      .add_option("--retrieval-items", options.retrieval_items, "Questions about facts far back to choose by; 0: none")
      ->check(whole_number(0))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--tries", options.tries, "At most so many changes are measured for one rung")
      ->check(whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--context", options.context, "Positions at which memory is counted")
      ->check(whole_number(1))
      ->type_name("N")
      ->capture_default_str();
}

void add_training_options(CLI::App& command, LadderFlags& options) {
  command
      .add_option("--train-text", options.ladder.chain.text,
                  "What mixers that must be trained (dual_state) learn from: sources as of heal --text")
      ->delimiter(',')
      ->type_name("SOURCE,..")
      ->capture_default_str();
  command.add_option("--train-tokens", options.train_tokens, "Tokens that each rung of theirs learns from")
      ->type_name("N")
      ->capture_default_str();
}

void add_quality_options(CLI::App& command, LadderQualityOptions& options) {
  command
      .add_option("--eval-text", options.text,
                  "Text to measure the levels on, not that of --text; default: the model writes some")
      ->type_name("FILE");
  command.add_option("--windows", options.windows, "So many windows of it")
      ->check(whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--window-tokens", options.window, "Tokens of each")
      ->check(whole_number(2))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--retrieval", options.retrieval, "Find facts in texts of these lengths, in tokens; 0: none")
      ->delimiter(',')
      ->check(whole_number(0))
      ->type_name("N,..")
      ->capture_default_str();
  command.add_option("--places", options.places, "Places in those texts at which the facts of each wording stand")
      ->check(whole_number(1, 100))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--tasks", options.tasks, "Measure accuracy on these task files, too (docs/formats/tasks.md)")
      ->delimiter(',')
      ->type_name("FILE,..");
  command.add_option("--task-items", options.task_items, "The first so many items of each; 0: all")
      ->check(whole_number(0))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--decode", options.decode,
                  "Sequences and positions of the decode steps whose speed is given; default: 64x1024, or what fits")
      ->type_name("BxC");
  command.add_flag_function(
      "--no-bench", [&options](std::int64_t) { options.bench = false; }, "Predict that speed without measuring it");
}

}  // namespace

void add_ladder_command(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("ladder", "Order a model's layers by how well they do with less, for serving under load");
  const auto options = std::make_shared<LadderFlags>();
  command
      ->add_option("MODEL", options->ladder.model,
                   "A GGUF file, a model directory, a directory of boost or heal (which then is level 0), or a name")
      ->required()
      ->type_name("");
  command
      ->add_option("-o,--output", options->ladder.output,
                   "The directory for the ladder; one begun there is gone on with")
      ->required()
      ->type_name("DIR");
  command->add_option("--plan", options->ladder.plan, "Level 0 is this plan")->type_name("FILE");
  add_choosing_options(*command, options->ladder);
  add_training_options(*command, *options);
  add_quality_options(*command, options->ladder.quality);
  add_common_options(*command, options->common);
  command->footer(
      "A ladder is an ordered list of changes, its rungs; at level n the first n of them are in force. Each rung is "
      "the "
      "change that costs least on top of those before it, measured with all of them together. Then every level is "
      "measured, on other text and by other questions than chose.\n"
      "What was measured is kept in DIR: the same command goes on where it stopped. DIR/ladder.json may be edited by "
      "hand; the same command then measures the levels that changed.\n\n"
      "Examples:\n"
      "  layerboost ladder smollm2-135m --to window:128+4 --rungs 22 -o ladder\n"
      "  layerboost ladder smollm2-135m --to window:512+4,window:128+4 --rungs 40 -o ladder --text corpus.jsonl "
      "--eval-text book.txt\n"
      "  layerboost ladder healed/ --to window:128+4 --rungs 12 -o ladder --no-bench\n"
      "  layerboost info ladder");
  command->callback([command, options] {
    LadderQualityOptions& quality = options->ladder.quality;
    options->ladder.retrieval_given = command->get_option("--retrieval")->count() > 0;
    if (quality.retrieval == std::vector<int>{0}) quality.retrieval.clear();
    if (std::count(quality.retrieval.begin(), quality.retrieval.end(), 0) > 0)
      fail("--retrieval: 0 is for none, and can't stand beside lengths");
    run_ladder(*options);
  });
}

}  // namespace layerboost
