// What each step of `boost` will take, before it begins: seconds, from short runs of the model on this machine, and
// memory, from the sizes of what each step holds.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "app/boost_healing.h"
#include "app/boost_options.h"
#include "base/json.h"
#include "plan/cost_model.h"

namespace layerboost {

/// Times of one model on this machine.
struct ModelTimes {
  double row = 0;   // seconds of a token through all layers, of many that are read together
  double head = 0;  // seconds of a token's prediction: the head and a pass over the vocabulary
  CostModel step;   // of what is written token by token
  int rows = 0;     // tokens of the run that row and head are from
};

/// Runs the model on up to 1024 random tokens, fewer where it is slow, and measures decode steps unless `known` has
/// them. Throws Interrupted.
ModelTimes measure_times(const Model& model, MixerSet& mixers, const CostModel& step);

/// What there is to do beside the options.
struct BoostWork {
  HealBudget heal;          // none() : no healing
  bool ready_made = false;  // the plan and what healing learnt are copied, not made
  bool healed = false;      // there will be a healed model to measure
  bool self_text_is_kept = false, written_text_is_kept = false;  // texts by the model itself are there already
  std::vector<bool> done;  // of the steps: what it leaves is there already; empty: none
};

struct StepEstimate {
  std::string name, what;  // "1/6 analyze", "30 layers x 4 choices on 8192 tokens"
  double seconds = 0;
  std::size_t bytes = 0;  // of memory, all of the process, at its highest
  bool done = false;
};

/// The steps in their order. Weights count as often as they are loaded at the same time.
std::vector<StepEstimate> estimate_boost(const BoostOptions& options, const BoostWork& work, const Model& model,
                                         const MixerList& unchanged, const ModelTimes& times);

/// Bytes that the directory will take on disk, about.
std::size_t disk_estimate(const BoostWork& work, const Config& config);

/// The table for people, with the sum of all.
std::string to_table(const std::vector<StepEstimate>& steps);

/// [{"step", "what", "seconds", "memory_bytes", "done"}], for programs.
Json to_json(const std::vector<StepEstimate>& steps);

/// Throws Error where a step needs more memory than there is, or the directory more than its disk has.
void check_room(const std::vector<StepEstimate>& steps, std::size_t memory, const std::filesystem::path& directory,
                std::size_t disk);

}  // namespace layerboost
