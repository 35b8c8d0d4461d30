#include <gtest/gtest.h>

#include <numeric>
#include <utility>

#include "model/checkpoint.h"

namespace layerboost {
namespace {

/// A matrix whose row r is filled with r, as q of `heads` heads in GGUF's order.
struct Numbered {
  std::vector<float> values;
  Tensor tensor;
  Numbered(std::vector<std::int64_t> shape, int heads) {
    const std::int64_t cols = shape.size() < 2 ? 1 : shape[1];
    for (std::int64_t i = 0; i < shape[0] * cols; ++i) values.push_back(static_cast<float>(i / cols));
    tensor = {DType::f32, std::move(shape), std::as_bytes(std::span(values)), heads};
  }
};

TEST(Tensor, ReadsRowRanges) {
  const Numbered m({5, 3}, 0);
  std::vector<float> out(6);
  read_rows(m.tensor, 2, 2, out.data());
  EXPECT_EQ(out, (std::vector<float>{2, 2, 2, 3, 3, 3}));
  read_rows(m.tensor, 5, 0, out.data());
}

TEST(Tensor, UndoesInterleavedRopeOrder) {
  const Numbered m({16, 2}, 2);  // heads of 8: the first halves lie in even rows, the second in odd ones
  std::vector<float> out(32);
  read_rows(m.tensor, 0, 16, out.data());
  const std::vector<float> order = {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15};
  for (std::size_t r = 0; r < 16; ++r) EXPECT_EQ(out[2 * r], order[r]) << r;
  std::vector<float> some(6);
  read_rows(m.tensor, 3, 3, some.data());
  EXPECT_EQ(some, (std::vector<float>{6, 6, 1, 1, 3, 3}));
}

TEST(Tensor, UndoesInterleavedRopeOrderOfBiases) {
  const Numbered bias({8}, 2);  // heads of 4
  std::vector<float> out(8);
  read_rows(bias.tensor, 0, 1, out.data());
  EXPECT_EQ(out, (std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7}));
}

TEST(Tensor, PutsRowsWithoutRopeBehindTheOthers) {
  Numbered m({16, 1}, 2);  // heads of 8, of which 6 rows rotate: (0, 3), (1, 4), (2, 5)
  m.tensor.rope_rotated = 6;
  std::vector<float> out(16);
  read_rows(m.tensor, 0, 16, out.data());
  EXPECT_EQ(out, (std::vector<float>{0, 1, 2, 6, 3, 4, 5, 7, 8, 9, 10, 14, 11, 12, 13, 15}));
  Numbered bias({8}, 1);
  bias.tensor.rope_rotated = 4;
  read_rows(bias.tensor, 0, 1, out.data());
  out.resize(8);
  EXPECT_EQ(out, (std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7}));
}

}  // namespace
}  // namespace layerboost
