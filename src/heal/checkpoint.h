// The state of a training run on disk: all that it takes to go on as if it had never stopped.
#pragma once

#include <optional>
#include <vector>

#include "base/file.h"
#include "heal/held_out.h"

namespace layerboost {

struct TrainState {
  std::int64_t step = 0;                   // steps done
  std::int64_t measured_step = -1;         // the last one after which the held-out text was measured
  std::vector<float> x, m, v;              // parameters, AdamW's moments
  double first_loss = 0, recent_loss = 0;  // of the first step; a running mean
  HeldOutResult before, best;              // measurements
  std::int64_t best_step = 0;
  std::vector<float> best_x;  // parameters after best_step; empty where those are x
  double seconds = 0;         // of training so far
};

/// A checkpoint's bytes, for a file or for another process.
std::string checkpoint_bytes(const Json& identity, const TrainState& state);

/// What checkpoint_bytes() gave. Throws Error: for damaged ones (a hash of all is checked) and those of earlier
/// versions, naming `path`, and, naming what differs, for a run that is made of something else.
TrainState checkpoint_from_bytes(std::string_view file, const Json& identity, const fs::path& path);

/// Completely or not at all; what was there before stays until it is. `identity`: what the run is made of. Throws
/// Error.
void write_checkpoint(const fs::path& path, const Json& identity, const TrainState& state);

/// No value where there is none. Throws as checkpoint_from_bytes().
std::optional<TrainState> read_checkpoint(const fs::path& path, const Json& identity);

}  // namespace layerboost
