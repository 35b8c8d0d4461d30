#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "app/analysis.h"
#include "artifact/analysis_file.h"
#include "base/ranks.h"
#include "cli/analyze_options.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

struct AnalyzeFlags {
  CommonOptions common;
  AnalysisJob job;
};

/// One line per layer: the loss of each choice by the first measure.
void print_table(const Analysis& analysis) {
  std::size_t width = 24;
  for (const MixerSpec& choice : analysis.choices) width = std::max(width, to_string(choice).size() + 2);
  for (const std::string& measure : analysis.measures) {
    if (measure == "cosine" || measure == "entropy") continue;
    fmt::print("\n{:<8}", measure);
    for (const MixerSpec& choice : analysis.choices) fmt::print("{:>{}}", to_string(choice), width);
    fmt::print("\n");
    for (const auto& [layer, scores] : analysis.layers) {
      fmt::print("layer {:<2}", layer);
      for (const MixerSpec& choice : analysis.choices) {
        const auto found = scores.choices.find(choice);
        if (found == scores.choices.end()) {  // the layer's own window keeps no more
          fmt::print("{:>{}}", "-", width);
          continue;
        }
        const Measured& score = found->second.at(measure);
        fmt::print("{:>{}.5f} ± {:<7.5f}", score.mean, width - 10, score.stderr_of_mean);
      }
      fmt::print("\n");
    }
  }
  fmt::print("\n");
}

void analyze(const AnalyzeFlags& flags) {
  AnalysisJob job = flags.job;
  job.analyze.ranks = &Ranks::world();
  job.compute = flags.common;
  job.json = flags.common.json;
  const Analysis analysis = analyze_model(job);
  if (!job.analyze.ranks->first()) return;
  if (!job.json.empty()) write_analysis(job.json, analysis);
  print_table(analysis);
  fmt::print("written to {}; next: layerboost plan {} -o plan.json\n", job.output, job.output);
}

/// Refuses the flags that what was asked for has no use for.
void refuse_idle_flags(const CLI::App& command, const AnalyzeOptions& options) {
  const auto has = [](const std::vector<std::string>& words, std::initializer_list<const char*> wanted) {
    return std::find_first_of(words.begin(), words.end(), wanted.begin(), wanted.end()) != words.end();
  };
  const auto changes_to_kind_with = [&](const SpecField& field) {
    return std::any_of(options.to.begin(), options.to.end(), [&](const std::string& word) {
      const MixerDescriptor* const kind = find_kind(word);
      return kind != nullptr && has_field(kind->kind, field);
    });
  };
  if (!changes_to_kind_with(window_field))
    refuse_given(command, {"--window"}, "is for --to " + kinds_with(window_field, "or"));
  if (!changes_to_kind_with(sinks_field))
    refuse_given(command, {"--sinks"}, "is for --to " + kinds_with(sinks_field, "or"));
  if (!has(options.by, {"task"})) refuse_given(command, {"--tasks", "--limit"}, "is for --by task");
  if (!has(options.by, {"retrieval"})) refuse_given(command, {"--retrieval-items"}, "is for --by retrieval");
}

}  // namespace

void add_analyze_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("analyze", "Measure what each layer's attention is worth");
  const auto options = std::make_shared<AnalyzeFlags>();
  command->add_option("MODEL", options->job.model, "A GGUF file, a model directory, or a name")
      ->required()
      ->type_name("");
  command->add_option("-o,--output", options->job.output, "The analysis file; an unfinished one is gone on with")
      ->required()
      ->type_name("FILE");
  add_analyze_options(*command, options->job.analyze);
  add_common_options(*command, options->common);
  command->footer(
      "Each layer in turn loses its attention or gets a window or a map, and what the whole model then loses is "
      "measured:\n"
      "kl, nll on text; task: accuracy; retrieval: the answers to questions about facts far back; cosine and entropy "
      "look "
      "at the layer alone.\n"
      "The file is saved after every layer; the same command goes on where it stopped.\n\n"
      "Examples:\n"
      "  layerboost analyze smollm2-135m -o analysis.json\n"
      "  layerboost analyze model.gguf -o analysis.json --to none,window --window 64,256 --sinks 4 --text "
      "corpus.jsonl\n"
      "  layerboost analyze model.gguf -o analysis.json --by task --tasks arc_easy.jsonl,piqa.jsonl\n"
      "  layerboost analyze smollm2-135m -o analysis.json --heads --by-gradients    which heads need the whole text\n"
      "  mpirun -n 4 layerboost analyze smollm2-135m -o analysis.json    layers dealt out to four processes");
  command->callback([command, options] {
    refuse_idle_flags(*command, options->job.analyze);
    analyze(*options);
  });
}

}  // namespace layerboost
