// Soft capping (kernels/soft_cap.h) of vectors.
#pragma once

#include "kernels/isa/simd.h"

namespace layerboost::LB_ISA {
namespace {

/// cap tanh(x / cap) and its slope, for numbers that are kept times `unit`.
struct SoftCap {
  Vec cap, inverse;

  explicit SoftCap(float value, float unit = 1) : cap(splat(value * unit)), inverse(splat(1 / (value * unit))) {}

  /// The tanh, of which of() makes the result and slope() the derivative.
  [[nodiscard]] Vec share(Vec x) const { return tanh(mul(x, inverse)); }
  [[nodiscard]] Vec of(Vec share) const { return mul(share, cap); }
  [[nodiscard]] static Vec slope(Vec share) { return fnma(share, share, splat(1.0f)); }
};

}  // namespace
}  // namespace layerboost::LB_ISA
