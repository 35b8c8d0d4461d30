// What the config.json of a Hugging Face checkpoint says of RoPE.
#pragma once

#include "model/config.h"
#include "model/hf_json.h"
#include "model/hf_model_types.h"

namespace layerboost {

/// Reads `rope_theta` and `rope_scaling`, or else `rope_parameters`; of a type where layers with a window have a RoPE
/// of their own, what the latter say of `full_attention`, changed by the former. `max_positions`: the model's.
/// Throws Error for types other than default, linear, dynamic, llama3, longrope and yarn, or other than the model's.
RopeConfig read_hf_rope(const JsonFields& config, int max_positions, int head_size, const HfModelType& model);

/// The RoPE of layers with a window, of a type where these have their own: `rope_local_base_freq`, or what
/// `rope_parameters` say of `sliding_attention`. Throws Error also for longrope and dynamic.
RopeConfig read_hf_local_rope(const JsonFields& config, int max_positions, const HfModelType& model);

}  // namespace layerboost
