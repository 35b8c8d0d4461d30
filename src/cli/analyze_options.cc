#include "cli/analyze_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "cli/flag_checks.h"

namespace layerboost {

void add_analyze_options(CLI::App& command, AnalyzeOptions& options) {
  const auto list = [](CLI::Option* option) { return option->delimiter(',')->capture_default_str(); };
  list(command
           .add_option("--to", options.to,
                       fmt::format("What layers are changed to: {}", fmt::join(choice_words(), ", ")))
           ->type_name("KIND,.."));
  list(command.add_option("--by", options.by, "Measures: kl, nll, task, retrieval, cosine, entropy")
           ->type_name("NAME,.."));
  command
      .add_option("--text", options.text, "Calibration text (JSON Lines or plain); default: text that the model writes")
      ->type_name("FILE");
  command.add_option("--tasks", options.tasks, "Task files for --by task")->delimiter(',')->type_name("FILE,..");
  command.add_option("--limit", options.limit, "Only the first N items of each task")
      ->type_name("N")
      ->check(whole_number(0));
  command.add_option("--tokens", options.tokens, "Tokens of calibration text")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
  command.add_option("--length", options.length, "Tokens of one sequence")
      ->type_name("N")
      ->check(whole_number(32, 1 << 20))
      ->capture_default_str();
  list(command.add_option("--window", options.windows, "Window widths of " + kinds_with(window_field, "and"))
           ->type_name("W,..")
           ->check(whole_number(1)));
  command.add_option("--sinks", options.sinks, "First positions that windows always see (not gated's)")
      ->type_name("S")
      ->check(whole_number(0))
      ->capture_default_str();
  command.add_flag("--heads", options.heads,
                   "Try windows in one KV head at a time, too, so that a plan may keep some heads whole");
  command.add_flag("--by-gradients", options.by_gradients,
                   "Estimate what windows lose from gradients: minutes instead of hours; other changes are measured");
  command.add_option("--retrieval-items", options.retrieval_items, "Questions about facts far back for --by retrieval")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
}

}  // namespace layerboost
