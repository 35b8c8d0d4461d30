// config.json and generation_config.json of exported models.
#pragma once

#include "base/json.h"
#include "export/export.h"

namespace layerboost {

/// The configuration of the model as it will lie in the directory: without the attention that the plan removes, and,
/// where long texts have other rotations, for short ones alone. Throws Error for a window that is longer than these.
Config exported_config(const ExportSource& source);

/// config.json; read_hf_config() reads it back. `tokens`: {"bos_token_id", ...}, added to it.
Json export_config_json(const ExportSource& source, const Config& exported, const Json& tokens);

}  // namespace layerboost
