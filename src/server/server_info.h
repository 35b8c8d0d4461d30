// What the server says of itself.
#pragma once

#include <cstdint>
#include <string>

namespace layerboost {

struct ServerInfo {
  std::string model;          // the name that requests give
  std::string model_hash;     // Checkpoint::hash()
  std::string plan;           // the plan's hash; empty: the model's own mixers
  std::string mixers;         // in words: "10 softmax, 20 window"
  std::string precision;      // "bf16"
  std::string kv;             // how keys and values are kept: "bf16"
  int positions = 0;          // prompt and new tokens together
  bool own_sampling = false;  // the model's makers say how to sample where requests don't
  std::int64_t started = 0;   // seconds since 1970
  /// Model and plan in a few characters, for `system_fingerprint`.
  [[nodiscard]] std::string fingerprint() const;
};

}  // namespace layerboost
