// What an engine may use: bounds that are set when it is made and hold as long as it lives. A request for which the
// queue is too long is refused (QueueFull), and so is one that needs more memory than there is when it runs alone. All
// others have their turn: where memory runs short, the newest sequence waits again and is read anew later. The weights
// aren't counted here, nor what steps compute in.
#pragma once

#include <cstddef>

namespace layerboost {

/// The bounds of one ServingEngine.
struct ServingOptions {
  std::size_t memory = 0;    // bytes for all caches; 0: half of what is free
  int step_tokens = 512;     // rows of one step: one for each running sequence, the others for prompts; > max_sequences
  int max_sequences = 128;   // sequences running at the same time
  int max_queue = 1024;      // requests waiting at the same time, beyond those that free places are for
  bool prefix_cache = true;  // beginnings that sequences share are read once
};

}  // namespace layerboost
