#include "model/dequantize.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "model/grid_formats.h"
#include "model/low_bit_formats.h"
#include "model/quant_block.h"

// Each quantised format has one function that unpacks one block to integers in the order of the weights and scales
// them; the loops have constant bounds so that compilers vectorise them. Those of fewer than four bits are in
// low_bit_formats.h and grid_formats.h. Layouts: ggml-common.h (block_q4_0 ... block_q6_K); arithmetic: ggml-quants.c
// (dequantize_row_*).
namespace layerboost {
namespace {

using namespace quant;  // NOLINT(google-build-using-namespace): every type and what unpacks it

/// Adds 16 to q[i] where bit i of `high` is set.
void add_fifth_bits(std::uint32_t high, std::int32_t* q) {
  for (unsigned i = 0; i < 32; ++i) q[i] |= static_cast<std::int32_t>(((high >> i) << 4U) & 16U);
}

struct Q4_0 {  // f16 d; 16 bytes
  static constexpr BlockSize size{32, 18};
  static void unpack(const Byte* block, float* out) {
    std::int32_t q[32];
    split_nibbles(block + 2, q);
    for (int& value : q) value -= 8;
    scale_to<32>(q, from_f16(load<std::uint16_t>(block)), no_offset, out);
  }
};

struct Q4_1 {  // f16 d, m; 16 bytes
  static constexpr BlockSize size{32, 20};
  static void unpack(const Byte* block, float* out) {
    std::int32_t q[32];
    split_nibbles(block + 4, q);
    scale_to<32>(q, from_f16(load<std::uint16_t>(block)), from_f16(load<std::uint16_t>(block + 2)), out);
  }
};

struct Q5_0 {  // f16 d; u32 fifth bits; 16 bytes
  static constexpr BlockSize size{32, 22};
  static void unpack(const Byte* block, float* out) {
    std::int32_t q[32];
    split_nibbles(block + 6, q);
    add_fifth_bits(load<std::uint32_t>(block + 2), q);
    for (int& value : q) value -= 16;
    scale_to<32>(q, from_f16(load<std::uint16_t>(block)), no_offset, out);
  }
};

struct Q5_1 {  // f16 d, m; u32 fifth bits; 16 bytes
  static constexpr BlockSize size{32, 24};
  static void unpack(const Byte* block, float* out) {
    std::int32_t q[32];
    split_nibbles(block + 8, q);
    add_fifth_bits(load<std::uint32_t>(block + 4), q);
    scale_to<32>(q, from_f16(load<std::uint16_t>(block)), from_f16(load<std::uint16_t>(block + 2)), out);
  }
};

struct Q8_0 {  // f16 d; 32 signed bytes
  static constexpr BlockSize size{32, 34};
  static void unpack(const Byte* block, float* out) {
    std::int8_t q[32];
    std::memcpy(q, block + 2, sizeof q);
    scale_to<32>(q, from_f16(load<std::uint16_t>(block)), no_offset, out);
  }
};

/// The 6-bit scale and minimum of sub-block `j` of 8 in the 12 bytes of Q4_K and Q5_K.
struct ScaleMin {
  int scale;
  int min;
};
ScaleMin scale_min(const Byte* scales, int j) {
  if (j < 4) return {scales[j] & 63, scales[j + 4] & 63};
  return {(scales[j + 4] & 15) | ((scales[j - 4] >> 6) << 4), (scales[j + 4] >> 4) | ((scales[j] >> 6) << 4)};
}

/// Sub-blocks 2c and 2c + 1 of Q4_K and Q5_K from 64 unpacked numbers.
void scale_pair(const std::int32_t* q, const Byte* scales, int c, float d, float dmin, float* out) {
  for (int half = 0; half < 2; ++half) {
    const ScaleMin s = scale_min(scales, 2 * c + half);
    scale_to<32>(q + 32 * half, d * static_cast<float>(s.scale), -(dmin * static_cast<float>(s.min)), out + 32 * half);
  }
}

struct Q4_K {  // f16 d, dmin; 12 bytes of scales; 128 bytes
  static constexpr BlockSize size{256, 144};
  static void unpack(const Byte* block, float* out) {
    const float d = from_f16(load<std::uint16_t>(block));
    const float dmin = from_f16(load<std::uint16_t>(block + 2));
    for (int c = 0; c < 4; ++c) {
      const Byte* packed = block + 16 + 32 * c;
      std::int32_t q[64];
      for (int i = 0; i < 32; ++i) q[i] = packed[i] & 15;
      for (int i = 0; i < 32; ++i) q[i + 32] = packed[i] >> 4;
      scale_pair(q, block + 4, c, d, dmin, out + 64 * c);
    }
  }
};

struct Q5_K {  // f16 d, dmin; 12 bytes of scales; 32 bytes of fifth bits; 128 bytes
  static constexpr BlockSize size{256, 176};
  static void unpack(const Byte* block, float* out) {
    const float d = from_f16(load<std::uint16_t>(block));
    const float dmin = from_f16(load<std::uint16_t>(block + 2));
    const Byte* high = block + 16;
    for (int c = 0; c < 4; ++c) {
      const Byte* packed = block + 48 + 32 * c;
      std::int32_t q[64];
      for (int i = 0; i < 32; ++i) q[i] = (packed[i] & 15) | (((high[i] >> (2 * c)) & 1) << 4);
      for (int i = 0; i < 32; ++i) q[i + 32] = (packed[i] >> 4) | (((high[i] >> (2 * c + 1)) & 1) << 4);
      scale_pair(q, block + 4, c, d, dmin, out + 64 * c);
    }
  }
};

struct Q6_K {  // 128 bytes of low halves; 64 bytes of high pairs; 16 signed scales; f16 d
  static constexpr BlockSize size{256, 210};
  static void unpack(const Byte* block, float* out) {
    const float d = from_f16(load<std::uint16_t>(block + 208));
    for (int c = 0; c < 2; ++c) {
      const Byte* low = block + 64 * c;
      const Byte* high = block + 128 + 32 * c;
      std::int32_t q[128];
      for (int i = 0; i < 32; ++i) q[i] = ((low[i] & 15) | ((high[i] & 3) << 4)) - 32;
      for (int i = 0; i < 32; ++i) q[i + 32] = ((low[i + 32] & 15) | (((high[i] >> 2) & 3) << 4)) - 32;
      for (int i = 0; i < 32; ++i) q[i + 64] = ((low[i] >> 4) | (((high[i] >> 4) & 3) << 4)) - 32;
      for (int i = 0; i < 32; ++i) q[i + 96] = ((low[i + 32] >> 4) | ((high[i] >> 6) << 4)) - 32;
      for (int s = 0; s < 8; ++s) {
        const auto scale = static_cast<std::int8_t>(block[192 + 8 * c + s]);
        scale_to<16>(q + 16 * s, d * static_cast<float>(scale), no_offset, out + 128 * c + 16 * s);
      }
    }
  }
};

template <typename Format>
void unpack_blocks(const Byte* data, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; i += Format::size.elements, data += Format::size.bytes)
    Format::unpack(data, out + i);
}

void widen_f16(const Byte* data, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = from_f16(load<std::uint16_t>(data + 2 * i));
}

void widen_bf16(const Byte* data, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i)
    out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(data + 2 * i)) << 16U);
}

}  // namespace

BlockSize block_size(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return {1, 4};
    case DType::f16:
    case DType::bf16:
      return {1, 2};
    case DType::q4_0:
      return Q4_0::size;
    case DType::q4_1:
      return Q4_1::size;
    case DType::q5_0:
      return Q5_0::size;
    case DType::q5_1:
      return Q5_1::size;
    case DType::q8_0:
      return Q8_0::size;
    case DType::q4_k:
      return Q4_K::size;
    case DType::q5_k:
      return Q5_K::size;
    case DType::q6_k:
      return Q6_K::size;
    case DType::q2_k:
      return Q2_K::size;
    case DType::q3_k:
      return Q3_K::size;
    case DType::iq4_nl:
      return IQ4_NL::size;
    case DType::iq4_xs:
      return IQ4_XS::size;
    case DType::tq1_0:
      return TQ1_0::size;
    case DType::tq2_0:
      return TQ2_0::size;
    case DType::mxfp4:
      return MXFP4::size;
    case DType::iq2_xxs:
      return IQ2_XXS::size;
    case DType::iq2_xs:
      return IQ2_XS::size;
    case DType::iq2_s:
      return IQ2_S::size;
    case DType::iq3_xxs:
      return IQ3_XXS::size;
    case DType::iq3_s:
      return IQ3_S::size;
    case DType::iq1_s:
      return IQ1_S::size;
    case DType::iq1_m:
      return IQ1_M::size;
  }
  LB_CHECK(false && "a DType");
}

std::int64_t stored_bytes(DType dtype, std::int64_t count) {
  const BlockSize block = block_size(dtype);
  LB_CHECK(count % block.elements == 0);
  return count / block.elements * block.bytes;
}

void dequantize(DType dtype, const std::byte* bytes, std::int64_t count, float* out) {
  LB_CHECK(count % block_size(dtype).elements == 0);
  const auto* data = reinterpret_cast<const Byte*>(bytes);
  switch (dtype) {
    case DType::f32:
      std::memcpy(out, data, static_cast<std::size_t>(count) * sizeof(float));
      return;
    case DType::f16:
      return widen_f16(data, count, out);
    case DType::bf16:
      return widen_bf16(data, count, out);
    case DType::q4_0:
      return unpack_blocks<Q4_0>(data, count, out);
    case DType::q4_1:
      return unpack_blocks<Q4_1>(data, count, out);
    case DType::q5_0:
      return unpack_blocks<Q5_0>(data, count, out);
    case DType::q5_1:
      return unpack_blocks<Q5_1>(data, count, out);
    case DType::q8_0:
      return unpack_blocks<Q8_0>(data, count, out);
    case DType::q4_k:
      return unpack_blocks<Q4_K>(data, count, out);
    case DType::q5_k:
      return unpack_blocks<Q5_K>(data, count, out);
    case DType::q6_k:
      return unpack_blocks<Q6_K>(data, count, out);
    case DType::q2_k:
      return unpack_blocks<Q2_K>(data, count, out);
    case DType::q3_k:
      return unpack_blocks<Q3_K>(data, count, out);
    case DType::iq4_nl:
      return unpack_blocks<IQ4_NL>(data, count, out);
    case DType::iq4_xs:
      return unpack_blocks<IQ4_XS>(data, count, out);
    case DType::tq1_0:
      return unpack_blocks<TQ1_0>(data, count, out);
    case DType::tq2_0:
      return unpack_blocks<TQ2_0>(data, count, out);
    case DType::mxfp4:
      return unpack_blocks<MXFP4>(data, count, out);
    case DType::iq2_xxs:
      return unpack_blocks<IQ2_XXS>(data, count, out);
    case DType::iq2_xs:
      return unpack_blocks<IQ2_XS>(data, count, out);
    case DType::iq2_s:
      return unpack_blocks<IQ2_S>(data, count, out);
    case DType::iq3_xxs:
      return unpack_blocks<IQ3_XXS>(data, count, out);
    case DType::iq3_s:
      return unpack_blocks<IQ3_S>(data, count, out);
    case DType::iq1_s:
      return unpack_blocks<IQ1_S>(data, count, out);
    case DType::iq1_m:
      return unpack_blocks<IQ1_M>(data, count, out);
  }
}

}  // namespace layerboost
