// The training side of a mixer: what lies between the projections, forward over whole sequences and backward. The
// product of the output with Wo, RoPE and what comes before it belong to the trainer.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "kernels/scratch.h"
#include "mixer/parameters.h"
#include "model/mixer.h"
#include "model/model.h"

namespace layerboost {

/// The sequences of one call: `sequences` of `length` tokens each, one after another, at positions 0 .. length-1; N =
/// sequences * length rows.
struct CoreBatch {
  int sequences = 0, length = 0;

  [[nodiscard]] std::ptrdiff_t rows() const { return static_cast<std::ptrdiff_t>(sequences) * length; }
};

/// What a core reads.
struct CoreInputs {
  CoreBatch batch;
  // Read only by cores that need_plain(); may be nullptr for the others.
  const float* x = nullptr;        // [N, D] the layer's normalised input
  const float* q_plain = nullptr;  // [N, H, d] before RoPE (after bias and head norms)
  const float* k_plain = nullptr;  // [N, G, d] likewise
  const float* q = nullptr;        // [N, H, d] after RoPE
  const float* k = nullptr;        // [N, G, d] after RoPE
  const float* v = nullptr;        // [N, G, d]
};

/// Where a core adds the gradients of its inputs, shapes as of CoreInputs; the caller zeroes them before. x, q_plain
/// and k_plain may be nullptr where the core doesn't need_plain().
struct CoreGradients {
  float *x = nullptr, *q_plain = nullptr, *k_plain = nullptr;
  float *q = nullptr, *k = nullptr, *v = nullptr;
};

/// The training side of one layer's mixer. Immutable but for its parameters. Works on all threads; results don't depend
/// on their number. Products are rounded to bf16 where the model's precision isn't f32.
class MixerCore {
 public:
  virtual ~MixerCore() = default;

  /// Numbers that forward() leaves for backward(), beside inputs and output.
  [[nodiscard]] virtual std::size_t saved_floats(const CoreBatch& batch) const = 0;

  /// out [N, H, d]: per-head outputs before Wo. saved [saved_floats()].
  virtual void forward(const CoreInputs& inputs, float* out, float* saved, KernelScratch& scratch) const = 0;

  /// Adds the gradients for dout [N, H, d]. `out` and `saved` are forward()'s. parameter_gradients: as parameters(),
  /// added to.
  virtual void backward(const CoreInputs& inputs, const float* out, const float* saved, const float* dout,
                        const CoreGradients& gradients, std::span<float> parameter_gradients,
                        KernelScratch& scratch) const = 0;

  /// The parameters of the mixer itself, flat; empty for most kinds. The trainer may write them between calls.
  virtual std::span<float> parameters() { return {}; }

  /// Whether it reads x, q_plain and k_plain.
  [[nodiscard]] virtual bool needs_plain() const { return false; }
};

/// The core of a layer's mixer, with its parameters from `parameters` or else initial ones. Requires: its kind has one.
std::unique_ptr<MixerCore> make_core(const Model& model, int layer, const MixerSpec& spec,
                                     const MixerParameters& parameters = {});

}  // namespace layerboost
