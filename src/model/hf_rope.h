// What the config.json of a Hugging Face checkpoint says of RoPE.
#pragma once

#include "model/config.h"
#include "model/hf_json.h"

namespace layerboost {

/// Reads `rope_parameters`, or else `rope_theta` and `rope_scaling`. Throws Error for types other than default, linear,
/// llama3 and yarn.
RopeConfig read_hf_rope(const JsonFields& config, int max_positions);

}  // namespace layerboost
