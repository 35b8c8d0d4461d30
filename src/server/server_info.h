// What the server says of itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/level_table.h"

namespace layerboost {

struct ServerInfo {
  std::vector<std::string> models;  // the names that requests give, at least one
  std::string model_hash;           // Checkpoint::hash()
  std::string plan;                 // the plan's hash; empty: the model's own mixers
  std::string mixers;               // in words: "10 softmax, 20 window"
  std::string precision;            // "bf16"
  std::string kv;                   // how keys and values are kept: "bf16"
  int positions = 0;                // prompt and new tokens together
  bool own_sampling = false;        // the model's makers say how to sample where requests don't
  std::int64_t started = 0;         // seconds since 1970
  LevelTable levels = {};           // of a ladder, if there is one; level 0 is the plan above

  /// The hash of a level's plan.
  [[nodiscard]] const std::string& plan_of(int level) const;
  /// Model and a level's plan in a few characters, for `system_fingerprint`.
  [[nodiscard]] std::string fingerprint(int level = 0) const;
};

}  // namespace layerboost
