#include "model/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/json.h"

namespace layerboost {
namespace {

std::vector<std::uint8_t> from_hex(const std::string& hex) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

const std::byte* as_stored(const void* p) { return static_cast<const std::byte*>(p); }

TEST(Dequantize, QuantisedTypesAsGgufsReference) {
  // Blocks of random bytes with what the Python package gguf makes of them, rounded to bf16.
  const Json cases = read_json(LAYERBOOST_SOURCE_DIR "/src/model/testdata/dequantize.json");
  ASSERT_EQ(cases.size(), 22U);
  for (std::size_t t = 0; t < cases.size(); ++t) {
    const auto dtype = static_cast<DType>(static_cast<std::size_t>(DType::q4_0) + t);
    ASSERT_EQ(cases[t]["type"], name_of(dtype));
    const auto stored = from_hex(cases[t]["stored"].get<std::string>());
    const auto expected = from_hex(cases[t]["bf16"].get<std::string>());  // big-endian
    std::vector<float> out(expected.size() / 2);
    ASSERT_EQ(stored_bytes(dtype, static_cast<std::int64_t>(out.size())), static_cast<std::int64_t>(stored.size()));
    dequantize(dtype, as_stored(stored.data()), static_cast<std::int64_t>(out.size()), out.data());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::uint32_t bits = static_cast<std::uint32_t>(expected[2 * i] << 24U | expected[2 * i + 1] << 16U);
      ASSERT_EQ(std::bit_cast<std::uint32_t>(out[i]), bits) << name_of(dtype) << " weight " << i;
    }
  }
}

/// The value of a half from the definition.
double half_value(unsigned half) {
  const int exponent = static_cast<int>((half >> 10U) & 31U);
  const double fraction = (half & 1023U) / 1024.0;
  const double sign = (half & 0x8000U) != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  return exponent == 0 ? sign * std::ldexp(fraction, -14) : sign * std::ldexp(1 + fraction, exponent - 15);
}

TEST(Dequantize, EveryHalf) {
  std::vector<std::uint16_t> halves(1 << 16);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  std::vector<float> out(halves.size());
  dequantize(DType::f16, as_stored(halves.data()), static_cast<std::int64_t>(halves.size()), out.data());
  for (unsigned i = 0; i < halves.size(); ++i) {
    const double expected = half_value(i);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(out[i])) << i;
    } else {
      ASSERT_EQ(static_cast<double>(out[i]), expected) << i;
      ASSERT_EQ(std::signbit(out[i]), std::signbit(expected)) << i;
    }
  }
}

TEST(Dequantize, PlainTypesAreExactAndUnaligned) {
  const float numbers[] = {1.00390625F, -3.5F, 0.1F, 1e-30F};
  std::vector<std::byte> moved(1 + sizeof numbers);
  std::memcpy(moved.data() + 1, numbers, sizeof numbers);
  float out[4];
  dequantize(DType::f32, moved.data() + 1, 4, out);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(out[i], numbers[i]);
  dequantize(DType::bf16, moved.data() + 1, 4, out);  // little-endian: every second half-word is a float cut to bf16
  EXPECT_EQ(out[1], 1.0F);
  EXPECT_EQ(out[3], -3.5F);
}

TEST(Dequantize, InfiniteScalesStayInfiniteOrNan) {
  std::vector<std::uint8_t> block(34, 1);
  block[0] = 0x00;
  block[1] = 0x7c;  // d = infinity
  std::vector<float> out(32);
  dequantize(DType::q8_0, as_stored(block.data()), 32, out.data());
  EXPECT_EQ(out[0], std::numeric_limits<float>::infinity());
  block[1] = 0x7e;  // d = NaN
  dequantize(DType::q8_0, as_stored(block.data()), 32, out.data());
  EXPECT_TRUE(std::isnan(out[0]));
}

}  // namespace
}  // namespace layerboost
