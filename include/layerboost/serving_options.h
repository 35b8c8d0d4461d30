// What an engine may use.
#pragma once

#include <cstddef>

namespace layerboost {

struct ServingOptions {
  std::size_t memory = 0;    // bytes for all caches; 0: half of what is free
  int step_tokens = 512;     // rows of one step: one for each running text, the others for prompts; > max_sequences
  int max_sequences = 128;   // texts running at the same time
  int max_queue = 1024;      // requests waiting at the same time, beyond those that free places are for
  bool prefix_cache = true;  // beginnings that texts share are read once
};

}  // namespace layerboost
