// The mixers of one model, made by what a plan says of its layers.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "kernels/kv_segment.h"
#include "mixer/parameters.h"
#include "model/mixer.h"
#include "model/model.h"

namespace layerboost {

/// The projections that mixers have in place of their layer's, by layer and kind.
using MixerProjections = std::map<std::pair<int, MixerKind>, OwnProjections>;

/// Makes and keeps mixers of one model: one object per layer and spec, made on first use. Sequences of several sets of
/// a model can share steps.
class MixerSet {
 public:
  /// `parameters`: of mixers that have some. Kinds that learn start from initial_parameters() where they have none
  /// here. kv: see AttentionBlock; throws Error for heads too large for it. `projections`: in the model's precision.
  /// Requires: `model` outlives this; `projections` are of kinds that use all of a layer's attention.
  explicit MixerSet(const Model& model, MixerParameters parameters = {}, KvType kv = KvType::bf16,
                    MixerProjections projections = {});

  /// The mixer of this layer. Throws Error for a map whose parameters aren't there.
  const Mixer& mixer(int layer, const MixerSpec& spec);

  /// The mixers of a whole plan, `specs` [L]; the list lives as long as the set.
  const MixerList& list(const std::vector<MixerSpec>& specs);

  /// Adds or replaces the parameters of a layer's mixers of some kind. Requires: no such mixer has been made yet.
  void set_parameters(int layer, MixerKind kind, std::vector<float> values);

  /// The same of its projections.
  void set_projections(int layer, MixerKind kind, OwnProjections projections);

  /// Bytes of projections that it keeps beside the model's.
  [[nodiscard]] std::size_t projection_bytes() const;

 private:
  [[nodiscard]] bool made(int layer, MixerKind kind) const;

  const Model& model_;
  MixerParameters parameters_;
  KvType kv_;
  MixerProjections projections_;
  std::map<std::pair<int, MixerSpec>, std::unique_ptr<Mixer>> mixers_;
  std::map<std::vector<MixerSpec>, std::unique_ptr<MixerList>> lists_;
};

/// What the pretrained model itself does: softmax, or a window where the model has one; none where an exported model
/// has no attention. [L]
std::vector<MixerSpec> native_specs(const Config& config);

/// Whether the layer keeps less of a long text with this mixer than with the model's own. Only such a change has
/// anything to win: a layer with a window of its own has nothing of a wider one.
bool keeps_less(const Config& config, int layer, const MixerSpec& choice);

/// Bytes of cache of one sequence of `length` positions, as the descriptor's CostLaw has it: analytic, without
/// allocation granularity. 2 G d numbers of `element` bytes (bf16: 2) per position that is kept, and the state.
std::size_t kv_bytes(const Config& config, const MixerSpec& spec, int length, std::size_t element);

}  // namespace layerboost
