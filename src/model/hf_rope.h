// What the config.json of a Hugging Face checkpoint says of RoPE.
#pragma once

#include "model/config.h"
#include "model/hf_json.h"

namespace layerboost {

/// Reads `rope_theta` and `rope_scaling`, or else `rope_parameters`. `max_positions`: the model's, beyond which no text
/// is read, so that `dynamic`, which changes frequencies there, never does. Throws Error for types other than this,
/// default, linear, llama3, longrope and yarn.
RopeConfig read_hf_rope(const JsonFields& config, int max_positions);

}  // namespace layerboost
