// The flags of a sensitivity sweep, shared by `analyze` and `boost`.
#pragma once

#include <string>
#include <vector>

#include "base/ranks.h"
#include "base/run_info.h"
#include "cli/model_argument.h"
#include "plan/analysis_file.h"

namespace CLI {
class App;
}

namespace layerboost {

struct AnalyzeOptions {
  std::vector<std::string> to = {"none", "window"};
  std::vector<std::string> by = {"kl", "nll", "retrieval"};
  std::string text;
  std::vector<std::string> tasks;
  int tokens = 16 * 1024;
  int length = 1024;
  std::vector<int> windows = {64, 256};
  int sinks = 4;
  int retrieval_items = 8;
  int limit = 0;                 // items of each task
  const Ranks* ranks = nullptr;  // as SweepOptions
};

void add_analyze_options(CLI::App& command, AnalyzeOptions& options);

/// The sweep that the options ask for, written to `output` after every layer. Throws Error for words that don't exist.
Analysis run_analysis(const OpenedModel& opened, const AnalyzeOptions& options, std::uint64_t seed,
                      const fs::path& output, const RunInfo& run);

}  // namespace layerboost
