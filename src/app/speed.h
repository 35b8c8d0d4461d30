// Throughput for several batches and prompt lengths, as `bench` and `boost` measure and print it.
#pragma once

#include <vector>

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

}  // namespace layerboost
