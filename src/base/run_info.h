// What a result was made with: the `run` object in every JSON file of the program.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/json.h"

namespace layerboost {

/// Remembers the command line for to_json(): words joined by spaces, quoted for a shell where needed. Called once, at
/// the start.
void set_command_line(int argc, const char* const* argv);

/// What was remembered.
const std::string& command_line();

struct RunInfo {
  std::string model;      // Checkpoint::hash(); empty: no model
  std::string plan;       // the plan's hash; empty: no plan
  std::string adapter;    // of the adapter merged into the model; empty: none
  std::string precision;  // "f32", "bf16" or "int8"; empty: no arithmetic
  std::string kv;         // "int8" where keys and values are kept in it; empty: as the precision says
  int threads = 1;
  std::uint64_t seed = 0;
  Stopwatch clock;  // starts with the run

  /// {"version", "command", "model", "plan", "adapter" (only where there is one), "cpu", "isa", "threads", "precision",
  /// "kv" (likewise), "seed", "seconds"}; model, plan and precision are null where empty; seconds since the clock's
  /// start.
  [[nodiscard]] Json to_json() const;
};

}  // namespace layerboost
