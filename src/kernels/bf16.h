// Conversion of single values between f32 and bf16. Whole rows are converted by the kernels in isa/kernels.h.
#pragma once

#include <bit>
#include <cstdint>

namespace layerboost {

inline float from_bf16(std::uint16_t value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16); }

/// Rounds to nearest even. A NaN stays one.
inline std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t nan = bits | 0x400000u, rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return static_cast<std::uint16_t>(((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded) >> 16);
}

}  // namespace layerboost
