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
};

/// Runs every prompt length with every batch and prints the table as it grows; `roof`: also what the machine allows.
/// Returns
/// {"rows": [...], "weights_bytes", "roof": [...]}. Throws Error when prompt and generated tokens exceed the model's
/// positions.
Json measure_speed(const OpenedModel& opened, const MixerList& mixers, const SpeedOptions& options, bool roof);

}  // namespace layerboost
