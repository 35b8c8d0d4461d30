#pragma once

namespace layerboost {

/// The arithmetic of matrix products. f32 is the reference of the tests, bf16 the default; int8 has symmetric weights
/// per output channel and activations per row, quantised on the fly. Keys and values are kept as f32 under f32, as bf16
/// otherwise.
enum class Precision { f32, bf16, int8 };

/// As users write it: "f32", "bf16", "int8".
constexpr const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::f32:
      return "f32";
    case Precision::bf16:
      return "bf16";
    default:
      return "int8";
  }
}

}  // namespace layerboost
