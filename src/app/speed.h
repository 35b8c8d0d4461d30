// Throughput for several batches and prompt lengths, as `bench` and `boost` measure and print it.
#pragma once

#include <string>
#include <vector>

#include "app/compute_options.h"
#include "artifact/opened_ladder.h"
#include "artifact/opened_model.h"
#include "base/json.h"
#include "base/print.h"

namespace layerboost {

struct SpeedOptions {
  std::vector<int> batches = {1, 16, 64};
  std::vector<int> prompts = {1024};
  int generate = 32;
  int step_tokens = 2048;
  bool roofline = false;  // also what the machine allows
  bool profile = false;   // also where the time goes
};

/// Runs every prompt length with every batch and prints the table as it grows.
/// Returns {"rows": [...], "weights_bytes", "roofline": [...], "profile": [...]}. Throws Error when they don't fit into
/// the model's positions or into memory.
Json measure_speed(const OpenedModel& opened, const MixerList& mixers, const SpeedOptions& options, const Print& print);

/// Opens a model, which needs no tokenizer, to be measured at these levels of its ladder; what is wrong with them is
/// said before the weights are read. Throws Error, also for a `plan` that isn't empty: a ladder has its own.
OpenedLadder open_levels(const std::string& model, const std::string& plan, const std::vector<int>& levels,
                         const ComputeOptions& compute);

/// measure_speed() of these levels, one after another. Returns the same lists with the rows of all, each with its
/// "level" and the hash of its "plan". Throws likewise. Requires: the ladder has all of them.
Json measure_speed_of_levels(const OpenedLadder& ladder, const std::vector<int>& levels, const SpeedOptions& options,
                             const Print& print);

}  // namespace layerboost
