// What the unpacking of all quantised formats shares. Little-endian is assumed, as the formats are and as every
// supported CPU is.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "kernels/bf16.h"

namespace layerboost::quant {

static_assert(std::endian::native == std::endian::little);

using Byte = std::uint8_t;

template <typename T>
T load(const Byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// IEEE half to float, without branches and without subnormal floats (which a thread may flush to zero).
inline float from_f16(std::uint16_t half) {
  const std::uint32_t magnitude = half & 0x7fffU;
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t normal = (magnitude << 13U) + (magnitude >= 0x7c00U ? 0x70000000U : 0x38000000U);
  const auto subnormal =
      std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F);
  return std::bit_cast<float>(sign | (magnitude < 0x400U ? subnormal : normal));
}

inline float half_at(const Byte* p) { return from_f16(load<std::uint16_t>(p)); }

/// An offset that changes nothing, not even the sign of a negative zero.
constexpr float no_offset = -0.0F;

/// out[i] = bf16(scale * q[i] + offset)
template <int N, typename Number>
void scale_to(const Number* q, float scale, float offset, float* out) {
  for (int i = 0; i < N; ++i) out[i] = from_bf16(to_bf16(scale * static_cast<float>(q[i]) + offset));
}

/// 16 bytes into 32 numbers: low halves, then high halves.
inline void split_nibbles(const Byte* packed, std::int32_t* q) {
  for (int i = 0; i < 16; ++i) q[i] = packed[i] & 15;
  for (int i = 0; i < 16; ++i) q[i + 16] = packed[i] >> 4;
}

}  // namespace layerboost::quant
