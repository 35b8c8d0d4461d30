// The weights of exported models.
#pragma once

#include "export/export.h"

namespace layerboost {

/// Writes model.safetensors into `directory`, or shards of about `shard_bytes` and model.safetensors.index.json: the
/// tensors of `exported` (exported_config()) in bf16, changed by the source's change, and its mixers' parameters in
/// f32. Removes what an earlier export left under such names. Throws Error.
void export_weights(const ExportSource& source, const Config& exported, const fs::path& directory,
                    std::size_t shard_bytes);

}  // namespace layerboost
