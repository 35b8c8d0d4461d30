// Throughput for several batches and prompt lengths, as `bench` and `boost` measure and print it.
#pragma once

#include <vector>

#include "base/json.h"
#include "cli/model_argument.h"

namespace layerboost {

struct SpeedOptions {
  std::vector<int> batches = {1, 16, 64};
  std::vector<int> prompts = {1024};
  int generate = 32;
  int step_tokens = 2048;
  bool roof = false;     // also what the machine allows
  bool profile = false;  // also where the time goes
};

/// Runs every prompt length with every batch and prints the table as it grows.
/// Returns {"rows": [...], "weights_bytes", "roof": [...], "profile": [...]}. Throws Error when they don't fit into the
/// model's positions or into memory.
Json measure_speed(const OpenedModel& opened, const MixerList& mixers, const SpeedOptions& options);

}  // namespace layerboost
