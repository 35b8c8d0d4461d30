// The function of an MLP's gate.
#pragma once

namespace layerboost {

/// What the gate of an MLP goes through before it multiplies `up`: v s(z(v)), with s the logistic function.
/// silu: z = v. gelu_tanh, the approximation of GELU by tanh (Hendrycks & Gimpel 2016): z = 2 sqrt(2/pi) (v + 0.044715
/// v^3).
enum class Gate { silu, gelu_tanh };

inline constexpr int gate_count = 2;

}  // namespace layerboost
