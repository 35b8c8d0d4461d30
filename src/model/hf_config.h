// The shape of a model, read from the config.json of its Hugging Face checkpoint.
#pragma once

#include <string>
#include <string_view>

#include "model/config.h"

namespace layerboost {

/// The configuration in the text of `config.json` and of `generation_config.json` (empty: there is none), for the types
/// of hf_model_types.cc and layerboost (an exported model); RoPE in the older form (rope_theta, rope_scaling) or the
/// newer (rope_parameters). Defaults as transformers'. `where` (the folder's name) begins the messages of the Errors
/// thrown for everything that is missing, wrong or unsupported.
Config read_hf_config(std::string_view config_json, std::string_view generation_config_json, const std::string& where);

}  // namespace layerboost
