// A sensitivity sweep, as `analyze` and `boost` ask for it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/compute_options.h"
#include "artifact/analysis_file.h"
#include "artifact/opened_model.h"
#include "base/ranks.h"
#include "base/run_info.h"

namespace layerboost {

struct AnalyzeOptions {
  std::vector<std::string> to = {"none", "window"};
  std::vector<std::string> by = {"kl", "nll", "retrieval"};
  std::string text;
  std::vector<std::string> tasks;
  int tokens = 12 * 1024;
  int length = 1024;
  std::vector<int> windows = {64, 256};
  int sinks = 4;
  bool heads = false;  // windows also in one KV head at a time, so that plans can choose by head
  int retrieval_items = 18;
  int limit = 0;                 // items of each task
  bool by_gradients = false;     // as SweepOptions
  const Ranks* ranks = nullptr;  // as SweepOptions

  /// Whether `measure` is one of those in `by`.
  [[nodiscard]] bool asks_for(std::string_view measure) const {
    return std::find(by.begin(), by.end(), measure) != by.end();
  }
};

/// The words for `to`: the kinds of mixer that a layer can be changed to.
std::vector<std::string> choice_words();

/// The mixers that `to`, `windows`, `sinks` and `heads` name together for a model of this shape. Throws Error for words
/// that don't exist.
std::vector<MixerSpec> choices_of(const AnalyzeOptions& options, const Config& config);

/// Throws Error for what can be seen to be wrong before a model is opened: words that don't exist, files that aren't
/// there.
void check_analyze_options(const AnalyzeOptions& options);

/// Tokens of a sequence: `length`, cut to the model's positions, which is said.
int sequence_length(const AnalyzeOptions& options, const Config& config);

/// Throws Error where the sequences are too short for the questions of the measure retrieval in this model's tokens.
void check_retrieval(const Model& model, const AnalyzeOptions& options);

/// Whether what windows lose is to be estimated from gradients in an analysis that is shown and chooses nothing: where
/// the options say so, or where that can be and memory is plenty, for it takes a third of the time. One that has begun
/// in `output` goes on as it began.
bool estimates_to_show(const Model& model, const AnalyzeOptions& options, const fs::path& output);

/// The sweep that the options ask for, written to `output` after every layer. Throws Error for words that don't exist.
Analysis run_analysis(const OpenedModel& opened, const AnalyzeOptions& options, std::uint64_t seed,
                      const fs::path& output, const RunInfo& run);

/// What `analyze` is asked for.
struct AnalysisJob {
  std::string model;   // an unchanged one
  std::string output;  // the analysis' file; an unfinished one is gone on with
  std::string json;    // a file for the result, too; empty: none
  AnalyzeOptions analyze;
  ComputeOptions compute;
};

/// run_analysis() of a model that isn't open yet, by a process that has the file for itself. All that can be checked is
/// checked before the model is opened. Throws Error, Interrupted.
Analysis analyze_model(const AnalysisJob& job);

}  // namespace layerboost
