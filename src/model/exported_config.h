// What layerboost's own keys in the config.json of an exported model say (docs/formats/exported.md).
#pragma once

#include "model/config.h"
#include "model/hf_json.h"

namespace layerboost {

/// Fills in `c`, whose sizes are known, from "layerboost" in config.json: arch, RoPE, biases. Which layers have kept
/// their attention is said by the tensors, not here: until make_checkpoint() has seen them, c.attention is
/// AttentionParts::all everywhere (of models that aren't exported it is empty). Throws Error.
void read_exported_config(const JsonFields& fields, Config& c);

}  // namespace layerboost
