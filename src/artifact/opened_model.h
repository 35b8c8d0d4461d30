// Opening what a MODEL argument and --plan name. ModelFiles (artifact/model_files.h) say what was found on disk: a
// checkpoint, and perhaps a plan, an adapter and a ladder. open_model() reads them, merges the adapter into the weights
// while these are packed, calibrates where the precision is int8, and makes the mixers. The result, an OpenedModel, is
// all that is needed to run: the model, its mixers, and which mixer each layer has. UnchangedModel is what it was made
// from, to compare with. A ladder's levels are opened by artifact/opened_ladder.h. Models are found, and never fetched,
// here.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/model_files.h"
#include "base/run_info.h"
#include "mixer/mixers.h"
#include "model/model.h"
#include "model/subject.h"

namespace layerboost {

struct OpenedModel {
  std::shared_ptr<Model> model;
  std::unique_ptr<MixerSet> mixers;
  KvType kv = KvType::bf16;      // how keys and values are kept
  std::vector<MixerSpec> specs;  // [L] the plan's, or the model's own
  std::string plan_hash;         // empty: no plan
  std::string adapter_hash;      // of the adapter merged into the model; empty: none

  [[nodiscard]] bool planned() const { return !plan_hash.empty(); }
  /// Whether `export` wrote the model: some of its weights may be left out.
  [[nodiscard]] bool exported() const { return !model->config.attention.empty(); }
  /// Whether its weights are the unchanged model's, all of them.
  [[nodiscard]] bool original() const { return adapter_hash.empty() && !exported(); }
  /// The mixers to run with: the plan's, or the model's own.
  [[nodiscard]] const MixerList& list() const { return mixers->list(specs); }
  /// The unchanged model's mixers. Requires: original().
  [[nodiscard]] const MixerList& unchanged() const { return mixers->list(native_specs(model->config)); }
  /// What runs the model as it was opened.
  [[nodiscard]] ModelWithMixers run() const { return {*model, list()}; }
  /// Says in `info` what was opened.
  void describe(RunInfo& info) const;
};

/// Opens what find_model_files() finds to be run: a model with its plan, an adapter merged into the weights. `plan`: a
/// plan file, which goes before a directory's own; empty for none. kv: see AttentionBlock. needs_text: whether a model
/// without a tokenizer is refused. Throws Error.
OpenedModel open_model_argument(const std::string& model, const std::string& plan, Precision precision,
                                KvType kv = KvType::bf16, bool needs_text = true);

/// The same of files that find_model_files() found.
OpenedModel open_model(const ModelFiles& files, Precision precision, KvType kv = KvType::bf16, bool needs_text = true);

/// Opens a model without a plan as open_model() does, for what must start from an unchanged one: throws Error for a
/// healed or exported one. `command` begins the message.
OpenedModel open_original_model(const ModelFiles& files, Precision precision, const char* command);

/// A model as it was trained, with mixers of its own to run it.
OpenedModel as_trained(std::shared_ptr<Model> model, KvType kv = KvType::bf16);

/// `original` with the plan in a file: the same weights in memory. Throws Error. Requires: original.original().
OpenedModel with_plan(const OpenedModel& original, const fs::path& plan);

/// The model that an opened one was made from, to compare with: the same weights with the model's own mixers or, where
/// an adapter has changed them, those of the base model. Keys and values are kept in bf16. Requires: the opened model's
/// files haven't been closed.
class UnchangedModel {
 public:
  explicit UnchangedModel(const OpenedModel& opened);
  /// nullptr for a model without a plan and without int8 keys and values, and for an exported one, which doesn't know
  /// what it was made from.
  [[nodiscard]] const ModelWithMixers* get() const { return run_ ? &*run_ : nullptr; }

 private:
  std::unique_ptr<Model> base_;
  std::unique_ptr<MixerSet> mixers_;
  std::optional<ModelWithMixers> run_;
};

}  // namespace layerboost
