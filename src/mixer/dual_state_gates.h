// The gates of kind dual_state, which its serving and its training side share: its parameters by name, forward and
// backward. Formulas: dual_state.h.
#pragma once

#include <span>
#include <vector>

#include "kernels/decaying_states.h"
#include "mixer/parameters.h"
#include "mixer/spec.h"

namespace layerboost {

/// The kind's variants, in the order of its descriptor.
enum class DualStateVariant : VariantSet {
  gates_on_x = 1,     // "x": gates read the layer's normalised input, as the paper's, and not k
  one_state = 2,      // "one": the history alone
  output_norm = 4,    // "norm": RMSNorm of each head's output
  short_history = 8,  // "short": the history's gates start as the other's do, without a bias
};

inline bool has_variant(const MixerSpec& spec, DualStateVariant variant) {
  return (spec.variants & static_cast<VariantSet>(variant)) != 0;
}

inline int state_count(const MixerSpec& spec) {
  return has_variant(spec, DualStateVariant::one_state) ? 1 : most_states;
}

/// Views of the flat array (Number: float or const float), in the order of dual_state_shapes(). Those of the second
/// state, and the blend, are empty where there is one state; `norm` without the variant.
template <typename Number>
struct DualStateParameters {
  std::span<Number> gates[most_states];   // [G, d, d], z_g = k_g W_g; of x [D, G d], z = x W
  std::span<Number> biases[most_states];  // [G, d]
  std::span<Number> blend;                // [2]: a, of which w = softmax(a)
  std::span<Number> norm;                 // [d]

  DualStateParameters(const Config& config, const MixerSpec& spec, std::span<Number> all);
};

/// history_gate, history_bias; recency_gate, recency_bias, blend; norm: those that there are.
std::vector<ParameterShape> dual_state_shapes(const Config& config, const MixerSpec& spec);

/// The history's matrix is the identity and its bias 4 (where k is 0, a memory is halved in 611 tokens); the other's
/// matrix is random of variance 1 / (3 inputs), without bias; the blend is even.
std::vector<float> initial_dual_state(const Config& config, const MixerSpec& spec);

/// w_s [states], 1 where there is one.
std::vector<float> blend_weights(std::span<const float> blend);

/// Which rows gates are of, and what they read there.
struct GateInputs {
  int rows = 0;                    // N
  const float* x = nullptr;        // [N, D]; read in the variant that has gates on x only
  const float* k_plain = nullptr;  // [N, G, d], before RoPE; read in all others
};

/// log_gates [states, N, G, d]. Works on all threads.
void dual_state_log_gates(const Config& config, const MixerSpec& spec, std::span<const float> parameters,
                          const GateInputs& inputs, float* log_gates, KernelScratch& scratch);

/// Adds to the gradients of what was read, dx or dk_plain, and of the parameters. dlog_gates: as log_gates, which the
/// function before gave; overwritten.
void dual_state_gates_backward(const Config& config, const MixerSpec& spec, std::span<const float> parameters,
                               const GateInputs& inputs, const float* log_gates, float* dlog_gates, float* dx,
                               float* dk_plain, std::span<float> parameter_gradients, KernelScratch& scratch);

}  // namespace layerboost
