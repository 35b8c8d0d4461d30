// Unpacking of GGUF's IQ types, whose codes are places in a table of neighbouring weights (quant_grids.h), each a
// function as in dequantize.cc. Layouts: ggml-common.h; arithmetic: ggml-quants.c (dequantize_row_*).
#pragma once

#include <bit>

#include "model/dequantize.h"
#include "model/quant_block.h"
#include "model/quant_grids.h"

namespace layerboost::quant {

/// Eight signs, a bit each, of which seven are stored: the number of negative ones is even.
inline unsigned eight_signs(unsigned seven) { return seven | (static_cast<unsigned>(std::popcount(seven) & 1) << 7U); }

constexpr float iq2_values[4] = {8, 25, 43, 0};
constexpr float iq3_xxs_values[8] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr float iq3_s_values[8] = {1, 3, 5, 7, 9, 11, 13, 15};

/// Eight weights of an entry of a table of three values, with their signs.
inline void iq2_group(unsigned entry, unsigned signs, float scale, float* out) {
  float q[8];
  for (unsigned i = 0; i < 8; ++i) q[i] = iq2_values[(entry >> (2 * i)) & 3U] * (((signs >> i) & 1U) != 0 ? -1 : 1);
  scale_to<8>(q, scale, no_offset, out);
}

/// Four weights of an entry of a table of eight values, with their signs.
inline void iq3_group(unsigned entry, const float* values, unsigned signs, float scale, float* out) {
  float q[4];
  for (unsigned i = 0; i < 4; ++i) q[i] = values[(entry >> (3 * i)) & 7U] * (((signs >> i) & 1U) != 0 ? -1 : 1);
  scale_to<4>(q, scale, no_offset, out);
}

/// Scale `s` of those in halves of bytes.
inline int nibble(const Byte* scales, int s) { return (scales[s / 2] >> (4 * (s % 2))) & 15; }

struct IQ2_XXS {  // f16 d; 8 times: 4 codes, u32 of 4 sevens of signs and a scale
  static constexpr BlockSize size{256, 66};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block);
    for (int s = 0; s < 8; ++s) {
      const Byte* codes = block + 2 + 8 * s;
      const auto signs = load<std::uint32_t>(codes + 4);
      const float scale = d * (0.5F + static_cast<float>(signs >> 28U)) * 0.25F;
      for (int g = 0; g < 4; ++g)
        iq2_group(iq2_xxs_grid[codes[g]], eight_signs((signs >> (7 * g)) & 127U), scale, out + 32 * s + 8 * g);
    }
  }
};

struct IQ2_XS {  // f16 d; 32 u16 of 9 bits of code and 7 of signs; 16 scales of 4 bits
  static constexpr BlockSize size{256, 74};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block);
    for (int g = 0; g < 32; ++g) {
      const unsigned code = load<std::uint16_t>(block + 2 + 2 * g);
      const float scale = d * (0.5F + static_cast<float>(nibble(block + 66, g / 2))) * 0.25F;
      iq2_group(iq2_xs_grid[code & 511U], eight_signs(code >> 9U), scale, out + 8 * g);
    }
  }
};

struct IQ2_S {  // f16 d; 32 low bytes of codes; 32 bytes of signs; 32 high pairs of codes; 16 scales of 4 bits
  static constexpr BlockSize size{256, 82};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block);
    for (int g = 0; g < 32; ++g) {
      const unsigned high = (static_cast<unsigned>(block[66 + g / 4]) >> (2 * (g % 4))) & 3U;
      const float scale = d * (0.5F + static_cast<float>(nibble(block + 74, g / 2))) * 0.25F;
      iq2_group(iq2_s_grid[block[2 + g] | (high << 8U)], block[34 + g], scale, out + 8 * g);
    }
  }
};

struct IQ3_XXS {  // f16 d; 64 codes; 8 u32 of 4 sevens of signs and a scale
  static constexpr BlockSize size{256, 98};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block);
    for (int s = 0; s < 8; ++s) {
      const auto signs = load<std::uint32_t>(block + 66 + 4 * s);
      const float scale = d * (0.5F + static_cast<float>(signs >> 28U)) * 0.5F;
      for (int g = 0; g < 8; ++g) {
        const unsigned eight = eight_signs((signs >> (7 * (g / 2))) & 127U);
        iq3_group(iq3_xxs_grid[block[2 + 8 * s + g]], iq3_xxs_values, eight >> (4 * (g % 2)), scale,
                  out + 32 * s + 4 * g);
      }
    }
  }
};

struct IQ3_S {  // f16 d; 64 low bytes of codes; 64 high bits of them; 32 bytes of signs; 8 scales of 4 bits
  static constexpr BlockSize size{256, 110};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block);
    for (int g = 0; g < 64; ++g) {
      const unsigned high = (static_cast<unsigned>(block[66 + g / 8]) >> (g % 8)) & 1U;
      const float scale = d * static_cast<float>(1 + 2 * nibble(block + 106, g / 8));
      iq3_group(iq3_s_grid[block[2 + g] | (high << 8U)], iq3_s_values,
                static_cast<unsigned>(block[74 + g / 2]) >> (4 * (g % 2)), scale, out + 4 * g);
    }
  }
};

/// Eight weights of IQ1_S and IQ1_M: -1, 0 or 1, all moved a little up or down.
inline void iq1_group(unsigned entry, bool down, float scale, float* out) {
  float q[8];
  for (unsigned i = 0; i < 8; ++i)
    q[i] = static_cast<float>(static_cast<int>((entry >> (2 * i)) & 3U) - 1) + (down ? -0.125F : 0.125F);
  scale_to<8>(q, scale, no_offset, out);
}

struct IQ1_S {  // f16 d; 32 low bytes of codes; 8 u16 of their 4 high threes, a scale and the direction
  static constexpr BlockSize size{256, 50};
  static void unpack(const Byte* block, float* out) {
    const float d = half_at(block);
    for (int s = 0; s < 8; ++s) {
      const unsigned high = load<std::uint16_t>(block + 34 + 2 * s);
      const float scale = d * static_cast<float>(2 * ((high >> 12U) & 7U) + 1);
      for (int g = 0; g < 4; ++g) {
        const unsigned code = block[2 + 4 * s + g] | (((high >> (3 * g)) & 7U) << 8U);
        iq1_group(iq1_s_grid[code], (high & 0x8000U) != 0, scale, out + 32 * s + 8 * g);
      }
    }
  }
};

struct IQ1_M {  // 32 low bytes of codes; 32 halves of bytes: 3 high bits, direction; 4 u16: 4 scales, a quarter of d
  static constexpr BlockSize size{256, 56};
  static void unpack(const Byte* block, float* out) {
    unsigned half = 0;
    for (int i = 0; i < 4; ++i) half |= (load<std::uint16_t>(block + 48 + 2 * i) >> 12U) << (4 * i);
    const float d = from_f16(static_cast<std::uint16_t>(half));
    for (int g = 0; g < 32; ++g) {
      const unsigned scales = load<std::uint16_t>(block + 48 + 2 * (g / 8));
      const float scale = d * static_cast<float>(2 * ((scales >> (3 * ((g / 2) % 4))) & 7U) + 1);
      const unsigned high = (static_cast<unsigned>(block[32 + g / 2]) >> (4 * (g % 2))) & 15U;
      iq1_group(iq1_s_grid[block[g] | ((high & 7U) << 8U)], (high & 8U) != 0, scale, out + 8 * g);
    }
  }
};

}  // namespace layerboost::quant
