// What the config.json of a Hugging Face checkpoint says of RoPE.
#pragma once

#include "model/config.h"
#include "model/hf_json.h"

namespace layerboost {

/// Reads `rope_theta` and `rope_scaling`, or else `rope_parameters`. Some types compute other frequencies for longer
/// texts: `dynamic` for those of more than `max_positions`, `longrope` for those of more positions than the model was
/// first trained on, which `max_positions` becomes; such texts are not read. Throws Error for types other than these,
/// default, linear, llama3 and yarn.
RopeConfig read_hf_rope(const JsonFields& config, int& max_positions);

}  // namespace layerboost
