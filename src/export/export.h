// Exported models: a planned, and perhaps healed, model as a Hugging Face directory that needs nothing else, for
// transformers and for layerboost. An ExportSource is what has been read from disk: checkpoint, plan, the change of the
// weights, the mixers' parameters. export_model() writes it, each part in a file of this folder: weights,
// configuration, tokenizer, card, licence. It runs no model, and depends on neither training nor serving. The directory
// is described in docs/formats/exported.md.
#pragma once

#include <map>
#include <string>

#include "artifact/adapter.h"
#include "artifact/ladder.h"
#include "artifact/parameters_file.h"
#include "artifact/plan.h"
#include "base/json.h"
#include "model/weights.h"

namespace layerboost {

/// What is exported.
struct ExportSource {
  const Checkpoint& checkpoint;
  fs::path path;  // of the checkpoint: its tokenizer's and its licence's files are taken over
  const Plan& plan;
  const WeightChange* change;                        // merged into the weights; nullptr: none
  std::map<std::string, NamedParameter> parameters;  // of the plan's mixers, by "layers.N.KIND.NAME"
  std::string adapter_hash;                          // empty: none
  Json healing = Json::object();                     // heal.json's figures; empty: none
  std::string learnt_hash = "";                      // of what a ladder's layers have learnt; empty: none
  const LevelQuality* quality = nullptr;             // of a level of a ladder; nullptr: none, or not measured
};

/// Writes `directory`, config.json and plan.json last:
///   model.safetensors, or shards of about `shard_bytes` and their index: weights in bf16, without those that the plan
///     leaves no use for; parameters of mixers in f32, as "model.layers.N.KIND.NAME"
///   modeling_layerboost.py, config.json: for transformers, with trust_remote_code
///   tokenizer.json, tokenizer_config.json, ..., generation_config.json
///   README.md, the model card, and the licence of the base model as far as it is known
///   plan.json, and its parameters' file: for layerboost
/// Throws Error when the directory holds another model, or the plan can't be exported, and all is as it was; and when
/// the directory can't be written.
void export_model(const ExportSource& source, const fs::path& directory,
                  std::size_t shard_bytes = std::size_t{4} << 30);

}  // namespace layerboost
