// Unpacking of GGUF's blocks of two, three and four bits and of ternary numbers, each a function as in dequantize.cc.
// Layouts: ggml-common.h; arithmetic: ggml-quants.c (dequantize_row_*).
#pragma once

#include "model/dequantize.h"
#include "model/quant_block.h"

namespace layerboost::quant {

/// 128 two-bit numbers of 32 bytes: the lowest bits of all bytes, then the next ones.
inline void split_pairs(const Byte* packed, std::int32_t* q) {
  for (int c = 0; c < 4; ++c)
    for (int i = 0; i < 32; ++i) q[32 * c + i] = (packed[i] >> (2 * c)) & 3;
}

struct Q2_K {  // 16 scales and minima of 4 bits; 64 bytes; f16 d, dmin
  static constexpr BlockSize size{256, 84};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block + 80), dmin = half_at(block + 82);
    std::int32_t q[256];
    for (int c = 0; c < 2; ++c) split_pairs(block + 16 + 32 * c, q + 128 * c);
    for (int s = 0; s < 16; ++s) {
      const float scale = d * static_cast<float>(block[s] & 15), min = dmin * static_cast<float>(block[s] >> 4);
      scale_to<16>(q + 16 * s, scale, -min, out + 16 * s);
    }
  }
};

struct Q3_K {  // 32 bytes of high bits, inverted; 64 bytes; 12 bytes of scales; f16 d
  static constexpr BlockSize size{256, 110};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block + 108);
    const Byte* scales = block + 96;
    std::int32_t q[256];
    for (int c = 0; c < 2; ++c) split_pairs(block + 32 + 32 * c, q + 128 * c);
    for (int i = 0; i < 256; ++i) q[i] -= ((block[i % 32] >> (i / 32)) & 1) != 0 ? 0 : 4;
    for (int s = 0; s < 16; ++s) {
      const int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
      const int high = (scales[8 + s % 4] >> (2 * (s / 4))) & 3;
      scale_to<16>(q + 16 * s, d * static_cast<float>((low | (high << 4)) - 32), no_offset, out + 16 * s);
    }
  }
};

/// What the four-bit codes of IQ4_NL and IQ4_XS stand for.
constexpr std::int32_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// 32 numbers of 16 bytes of four-bit codes.
inline void look_up_nibbles(const Byte* packed, const std::int32_t* values, std::int32_t* q) {
  split_nibbles(packed, q);
  for (int i = 0; i < 32; ++i) q[i] = values[q[i]];
}

struct IQ4_NL {  // f16 d; 16 bytes
  static constexpr BlockSize size{32, 18};
  static void unpack(const Byte* block, float* out) {
    std::int32_t q[32];
    look_up_nibbles(block + 2, iq4_values, q);
    scale_to<32>(q, half_at(block), no_offset, out);
  }
};

struct IQ4_XS {  // f16 d; u16 high pairs of 8 scales; their low halves in 4 bytes; 128 bytes
  static constexpr BlockSize size{256, 136};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block);
    const int high = load<std::uint16_t>(block + 2);
    for (int s = 0; s < 8; ++s) {
      const int scale = ((block[4 + s / 2] >> (4 * (s % 2))) & 15) | (((high >> (2 * s)) & 3) << 4);
      std::int32_t q[32];
      look_up_nibbles(block + 8 + 16 * s, iq4_values, q);
      scale_to<32>(q, d * static_cast<float>(scale - 32), no_offset, out + 32 * s);
    }
  }
};

struct MXFP4 {  // a power of two; 16 bytes of floats of four bits
  static constexpr BlockSize size{32, 17};
  static void unpack(const Byte* block, float* out) {
    constexpr std::int32_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};  // twice the floats
    const std::uint32_t exponent = block[0];
    // 2^(exponent - 128), half of what the exponent says; the two smallest are subnormal.
    const std::uint32_t bits = exponent < 2 ? 0x00200000U << exponent : (exponent - 1) << 23U;
    std::int32_t q[32];
    look_up_nibbles(block + 1, values, q);
    scale_to<32>(q, std::bit_cast<float>(bits), no_offset, out);
  }
};

struct TQ2_0 {  // 64 bytes; f16 d
  static constexpr BlockSize size{256, 66};
  static void unpack(const Byte* block, float* out) {
    std::int32_t q[256];
    for (int c = 0; c < 2; ++c) split_pairs(block + 32 * c, q + 128 * c);
    for (int& value : q) value -= 1;
    scale_to<256>(q, half_at(block + 64), no_offset, out);
  }
};

struct TQ1_0 {  // 48 bytes of five ternary digits; 4 of four; f16 d
  static constexpr BlockSize size{256, 54};
  static void unpack(const Byte* block, float* out) {
    std::int32_t q[256];
    digits(block, 32, 5, q);
    digits(block + 32, 16, 5, q + 160);
    digits(block + 48, 4, 4, q + 240);
    scale_to<256>(q, half_at(block + 52), no_offset, out);
  }

 private:
  /// The first digits of all bytes, then the second ones: a byte is a fraction of 256 in base three.
  static void digits(const Byte* packed, int bytes, int count, std::int32_t* q) {
    Byte power = 1;
    for (int digit = 0; digit < count; ++digit, power = static_cast<Byte>(power * 3)) {
      for (int i = 0; i < bytes; ++i) *q++ = ((static_cast<Byte>(packed[i] * power) * 3) >> 8) - 1;
    }
  }
};

}  // namespace layerboost::quant
