// Measures the parts of a decode step on this machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/model.h"
#include "plan/cost_model.h"

namespace layerboost {

/// What measured times belong to: they hold for nothing else.
struct CostKey {
  std::string cpu;    // cpu_name() and instruction level
  std::string model;  // Checkpoint::hash()
  Precision precision = Precision::bf16;
  int threads = 1;
};

/// The key of this machine and OpenMP's present number of threads.
CostKey cost_key(const std::string& model_hash, Precision precision);

/// cache_dir()/cost/<hash of the key>.json.
fs::path cost_file(const CostKey& key);

/// What was measured before; no value when there is no file, one that isn't for this key, or (with a warning) a damaged
/// one.
std::optional<CostModel> read_cost(const CostKey& key);
void write_cost(const CostKey& key, const CostModel& model);

/// What is measured.
struct CostGrid {
  std::vector<int> batches = {1, 16, 64};
  std::vector<int> contexts = {256, 1024};  // of mixers that read all positions
  std::vector<int> windows = {64, 256};     // w, with 4 sinks where a kind has some
  int repeats = 7;                          // of each; the median counts
};

/// Measures each kind of mixer in layer 0 (layers of one kind cost the same) with filled caches, and the rest, a whole
/// step without mixers. Takes some seconds; the CPU should be otherwise idle. Throws Interrupted.
CostModel measure_cost(const Model& model, const CostGrid& grid = {});

}  // namespace layerboost
