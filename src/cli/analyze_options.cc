#include "cli/analyze_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "analyze/sweep.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/check_arguments.h"
#include "cli/flag_checks.h"
#include "eval/bos.h"
#include "eval/passkey.h"

namespace layerboost {
namespace {

void check_measures(const AnalyzeOptions& options) {
  const std::vector<std::string>& allowed = analysis_measures();
  for (const std::string& measure : options.by)
    if (std::find(allowed.begin(), allowed.end(), measure) == allowed.end())
      fail("--by: unknown measure \"{}\"; allowed: {}", measure, fmt::join(allowed, ", "));
  const bool by_task = std::find(options.by.begin(), options.by.end(), "task") != options.by.end();
  if (by_task && options.tasks.empty()) fail("--by task needs --tasks FILE,...");
}

}  // namespace

std::vector<MixerSpec> choices_of(const AnalyzeOptions& options) {
  std::vector<MixerSpec> choices;
  for (const std::string& word : options.to) {
    if (word == "window" || word == "hybrid" || word == "gated") {
      for (const int window : options.windows) {
        MixerSpec spec = parse_mixer(fmt::format("{}:{}", word, window));
        if (has_sinks(spec.kind)) spec.sinks = options.sinks;
        choices.push_back(parse_mixer(to_string(spec)));
      }
    } else if (word == "none" || word == "map") {
      choices.push_back(parse_mixer(word));
    } else {
      fail("--to: unknown word \"{}\"; allowed: none, window, hybrid, gated, map", word);
    }
  }
  std::sort(choices.begin(), choices.end());
  choices.erase(std::unique(choices.begin(), choices.end()), choices.end());
  return choices;
}

void check_analyze_options(const AnalyzeOptions& options) {
  choices_of(options);
  check_measures(options);
  check_input(options.text, "--text");
  for (const std::string& file : options.tasks) check_input(file, "--tasks");
}

void add_analyze_options(CLI::App& command, AnalyzeOptions& options) {
  const auto list = [](CLI::Option* option) { return option->delimiter(',')->capture_default_str(); };
  list(command.add_option("--to", options.to, "What layers are changed to: none, window, hybrid, gated, map")
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
  list(command.add_option("--window", options.windows, "Window widths of window, hybrid and gated")
           ->type_name("W,..")
           ->check(whole_number(1)));
  command.add_option("--sinks", options.sinks, "First positions that windows always see (not gated's)")
      ->type_name("S")
      ->check(whole_number(0))
      ->capture_default_str();
  command.add_option("--retrieval-items", options.retrieval_items, "Passkey prompts for --by retrieval")
      ->type_name("N")
      ->check(whole_number(1))
      ->capture_default_str();
}

int sequence_length(const AnalyzeOptions& options, const Config& config) {
  if (config.max_positions <= 0 || options.length <= config.max_positions) return options.length;
  note("--length {}: the model has {} positions, and so many tokens has a sequence", options.length,
       config.max_positions);
  return config.max_positions;
}

void check_retrieval(const Model& model, const AnalyzeOptions& options) {
  if (std::find(options.by.begin(), options.by.end(), "retrieval") == options.by.end()) return;
  const int positions = model.config.max_positions;
  const int length = positions > 0 ? std::min(options.length, positions) : options.length;
  try {
    check_passkey(model.text(), length - retrieval_room, bos_token(model.text(), BosMode::automatic), 0);
  } catch (const Error& error) {
    fail("--length {}: too short for the passkeys of --by retrieval ({})", length, error.what());
  }
}

Analysis run_analysis(const OpenedModel& opened, const AnalyzeOptions& options, std::uint64_t seed,
                      const fs::path& output, const RunInfo& run) {
  check_measures(options);
  const int length = sequence_length(options, opened.model->config);
  const bool retrieval = std::find(options.by.begin(), options.by.end(), "retrieval") != options.by.end();
  check_retrieval(*opened.model, options);
  const SweepOptions sweep{choices_of(options), options.by, read_tasks(options.tasks, options.limit), options.ranks};
  const Calibration calibration = make_calibration(
      *opened.model, {options.text, options.tokens, length, retrieval ? options.retrieval_items : 0, seed});
  return run_sweep(*opened.model, *opened.mixers, calibration, sweep, output, [&] { return run.to_json(); });
}

}  // namespace layerboost
