// Making a ladder: choosing the order in which a model's layers give way, then measuring each level.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/compute_options.h"
#include "app/ladder_chain.h"
#include "app/ladder_quality.h"
#include "artifact/ladder.h"

namespace layerboost {

struct LadderOptions {
  std::string model;
  std::string plan;    // level 0; empty: the directory's own, or the unchanged model
  std::string output;  // the directory
  // The rungs.
  std::vector<std::string> to = {"window:128+4"};  // in any order
  std::optional<int> rungs;                        // none: three quarters of what is possible
  std::vector<int> keep;                           // layers that don't change
  double retrieval_weight = 1;                     // as PlanOptions
  int context = 2048;                              // positions at which memory is counted
  int tries = 6;                                   // as LadderSearchOptions
  // What they are chosen by.
  std::string text;  // a file; empty: text that the model writes
  int tokens = 12 * 1024;
  int length = 1024;
  int retrieval_items = 18;
  LadderChainOptions chain;  // of mixers that must be trained
  // What the levels are measured on.
  LadderQualityOptions quality;
  bool retrieval_given = false;  // else the lengths are cut to the model's positions
  ComputeOptions compute;
};

/// Throws Error for what can be seen to be wrong before a model is opened: mixers that don't exist, files that aren't
/// there.
void check_ladder_options(const LadderOptions& options);

/// Makes the ladder in the directory `output`, or goes on with it where it was stopped: everything measured is kept
/// there. Rungs that were edited by hand since are kept, and levels whose figures are missing are measured. Throws
/// Error, also where the directory holds another ladder or somebody else's plan; Interrupted.
Ladder make_ladder(LadderOptions options);

}  // namespace layerboost
