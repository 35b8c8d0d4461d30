// z(v) and its slope, of each Gate (kernels/gate.h).
#pragma once

#include "kernels/gate.h"
#include "kernels/isa/simd.h"

namespace layerboost::LB_ISA {
namespace {

template <Gate>
struct GateOf;

template <>
struct GateOf<Gate::silu> {
  static Vec z(Vec v) { return v; }
  static Vec slope(Vec /*v*/) { return splat(1.0f); }
};

template <>
struct GateOf<Gate::gelu_tanh> {
  static constexpr float kFactor = 1.5957691f;  // 2 sqrt(2/pi)
  static constexpr float kCubic = 0.044715f;
  static Vec z(Vec v) { return mul(mul(v, splat(kFactor)), fma(mul(v, v), splat(kCubic), splat(1.0f))); }
  static Vec slope(Vec v) { return fma(mul(v, v), splat(3 * kCubic * kFactor), splat(kFactor)); }
};

}  // namespace
}  // namespace layerboost::LB_ISA
