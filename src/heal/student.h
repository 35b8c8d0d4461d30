// The model with a plan's mixers and LoRA: forward that keeps activations, and backward, layer by layer.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "heal/student_mixer.h"
#include "heal/student_mlp.h"
#include "mixer/mixers.h"

namespace layerboost {

/// The first layer whose mixer isn't the model's own; L where there is none.
int lowest_changed(const Config& config, std::span<const MixerSpec> specs);

/// Throws Error where a model's layers have sizes that healing can't compute with.
void check_sizes_for_healing(const Config& config);

/// Bytes of activations that a forward pass of `rows` rows keeps for its backward pass, about.
std::size_t activation_bytes(const Config& config, std::ptrdiff_t rows);

/// One layer's own parameters of its mixer among the flat ones.
struct CoreSlot {
  int layer = 0;
  MixerKind kind{};
  std::size_t first = 0, count = 0;
};

class Student {
 public:
  /// Learns from layer `lowest` on; nullopt: the lowest changed one, and `specs` [L] change at least one. `parameters`:
  /// of mixers that have some; maps need them, others have initial ones. `memory`: bytes that kept activations may
  /// take. What doesn't fit is computed again in backward. Throws Error where a product's sizes aren't multiples of 16
  /// or the precision is int8. Requires: `model` outlives this.
  Student(const Model& model, const std::vector<MixerSpec>& specs, const MixerParameters& parameters,
          const LoraOptions& options, std::size_t memory, std::optional<int> lowest = std::nullopt);

  [[nodiscard]] int lowest() const { return lowest_; }
  [[nodiscard]] std::span<const LoraSite> sites() const { return sites_; }
  [[nodiscard]] std::span<const CoreSlot> cores() const { return cores_; }
  /// Numbers that learn: LoRA's, then the mixers' own.
  [[nodiscard]] std::size_t parameter_count() const { return parameter_count_; }
  /// New parameters: LoRA's as initialize_lora(), the mixers' as they are.
  void initialize(std::uint64_t seed, std::span<float> parameters) const;
  /// Computes with these values from now on.
  void assign(std::span<const float> parameters);

  /// Takes hidden [N, D], the input of layer lowest(), through the layers. `keep`: for backward(). `at_layer(layer,
  /// hidden)`, where given, is shown each layer's input.
  using AtLayer = std::function<void(int layer, const float* hidden)>;
  void forward(const CoreBatch& batch, float* hidden, bool keep, const AtLayer& at_layer = {});

  /// d_hidden [N, D]: the gradient for the result of the last forward(keep = true); used up. Adds to the gradients of
  /// the parameters. `at_output(layer, hidden, d_hidden)` may add the gradient of a loss on the output of a layer below
  /// the last; empty for none.
  /// `at_mixer(layer, d_hidden)` is shown the gradient for what a layer's mixer adds to [N, D]. May be called again
  /// after the same forward.
  using AtOutput = std::function<void(int layer, const float* hidden, float* d_hidden)>;
  void backward(float* d_hidden, std::span<float> gradients, const AtOutput& at_output = {},
                const AtLayer& at_mixer = {});

  /// Where the mixers' own parameters begin among the flat ones.
  [[nodiscard]] std::size_t first_core_parameter() const { return lora_count_; }
  /// StudentMixer::match() of the layer of one of cores().
  double match(const CoreSlot& core, const CoreBatch& batch, const float* hidden, const MixerCore& teacher,
               std::span<float> gradients);
  /// The mixers' parameters among `parameters`, by layer and kind.
  [[nodiscard]] MixerParameters mixer_parameters(std::span<const float> parameters) const;

  /// Layers that a backward of such a batch computes again.
  [[nodiscard]] int recomputed_layers(const CoreBatch& batch) const;

  Profile& profile() { return scratch_.profile; }
  /// Bytes of memory that its layers compute in, beside what they keep for backward().
  [[nodiscard]] std::size_t scratch_bytes() const { return scratch_.bytes(); }

 private:
  struct Saved {
    AlignedBuffer hidden;  // [N, D] the input, of layers that are computed again
    MixerSaved mixer;
    MlpSaved mlp;
  };
  void forward_layer(std::size_t i, const CoreBatch& batch, float* hidden, Saved& saved) const;

  const Model& model_;
  const std::size_t memory_;
  StudentScratch scratch_;
  int lowest_ = 0;
  std::vector<LoraSite> sites_;
  std::vector<CoreSlot> cores_;
  std::vector<float> initial_cores_;
  std::size_t lora_count_ = 0, parameter_count_ = 0;
  LoraOptions options_;
  std::vector<std::unique_ptr<StudentMixer>> mixers_;  // of layers lowest() on; nullptr: none
  std::vector<std::unique_ptr<StudentMlp>> mlps_;
  std::vector<Saved> saved_;
  Saved again_;
  CoreBatch batch_;
  int recomputed_ = 0;
};

}  // namespace layerboost
