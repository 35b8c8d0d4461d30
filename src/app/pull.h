// Fetching a model from a Hugging Face hub: which of a repository's files make up a model, where they go, and what of
// them is there already. The hub itself is net/hub.h.
#pragma once

#include <string>

#include "base/file.h"

namespace layerboost {

struct PullOptions {
  std::string model;      // ORG/NAME on the hub
  std::string directory;  // where to put it; empty: the cache, where ORG/NAME finds it
  std::string gguf;  // a shell pattern: fetch the GGUF files that match; empty: safetensors and what goes with them
  std::string revision = "main";
};

/// Fetches what isn't there yet, and goes on where an earlier call stopped; sizes and hashes are checked. Waits while
/// another process fetches into the same directory. Reads HF_ENDPOINT, and the token as Hugging Face's own tools do.
/// Returns the model's directory. Throws Error, Interrupted.
fs::path pull_model(const PullOptions& options);

}  // namespace layerboost
