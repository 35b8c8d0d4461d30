// What can be done with one Tensor: see checkpoint.h.
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/dequantize.h"

namespace layerboost {
namespace {

/// Where row (or vector element) `row` of Hugging Face's order lies in the file: GGUF puts the pair (i, i + d/2) of
/// each head, which rotates together, side by side.
std::int64_t interleaved(std::int64_t row, std::int64_t head_size) {
  const std::int64_t half = head_size / 2;
  const std::int64_t in_head = row % head_size;
  return row - in_head + 2 * (in_head % half) + in_head / half;
}

/// The same where the first `rotated` rows of each head have RoPE, in pairs (i, i + rotated/2), and the others none:
/// here the first of the pairs (i, i + d/2) are those, and what is behind them keeps its order.
std::int64_t partly_rotated(std::int64_t row, std::int64_t head_size, std::int64_t rotated) {
  const std::int64_t half = head_size / 2, turned = rotated / 2, in_head = row % head_size;
  const std::int64_t side = in_head / half, pair = in_head % half;
  return row - in_head + (pair < turned ? side * turned + pair : rotated + side * (half - turned) + pair - turned);
}

std::int64_t place_of_row(const Tensor& tensor, std::int64_t row, std::int64_t head_size) {
  return tensor.rope_rotated > 0 ? partly_rotated(row, head_size, tensor.rope_rotated) : interleaved(row, head_size);
}

}  // namespace

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::q4_0:
      return "Q4_0";
    case DType::q4_1:
      return "Q4_1";
    case DType::q5_0:
      return "Q5_0";
    case DType::q5_1:
      return "Q5_1";
    case DType::q8_0:
      return "Q8_0";
    case DType::q4_k:
      return "Q4_K";
    case DType::q5_k:
      return "Q5_K";
    case DType::q6_k:
      return "Q6_K";
    case DType::q2_k:
      return "Q2_K";
    case DType::q3_k:
      return "Q3_K";
    case DType::iq4_nl:
      return "IQ4_NL";
    case DType::iq4_xs:
      return "IQ4_XS";
    case DType::tq1_0:
      return "TQ1_0";
    case DType::tq2_0:
      return "TQ2_0";
    case DType::mxfp4:
      return "MXFP4";
    case DType::iq2_xxs:
      return "IQ2_XXS";
    case DType::iq2_xs:
      return "IQ2_XS";
    case DType::iq2_s:
      return "IQ2_S";
    case DType::iq3_xxs:
      return "IQ3_XXS";
    case DType::iq3_s:
      return "IQ3_S";
    case DType::iq1_s:
      return "IQ1_S";
    case DType::iq1_m:
      return "IQ1_M";
  }
  LB_CHECK(false && "a DType");
}

void read_rows(const Tensor& tensor, std::int64_t first, std::int64_t count, float* out) {
  LB_CHECK(first >= 0 && count >= 0 && count <= tensor.rows() - first);
  const std::int64_t cols = tensor.cols();
  const std::int64_t row_bytes = stored_bytes(tensor.dtype, cols);
  LB_CHECK(static_cast<std::int64_t>(tensor.data.size()) == row_bytes * tensor.rows());
  if (tensor.rope_heads == 0) {
    dequantize(tensor.dtype, tensor.data.data() + first * row_bytes, count * cols, out);
    return;
  }
  const bool vector = tensor.shape.size() < 2;
  const std::int64_t ordered = vector ? cols : tensor.rows();
  LB_CHECK(ordered % (2 * tensor.rope_heads) == 0);
  const std::int64_t head_size = ordered / tensor.rope_heads;
  if (vector) {
    std::vector<float> stored(static_cast<std::size_t>(cols));
    dequantize(tensor.dtype, tensor.data.data(), count * cols, stored.data());
    for (std::int64_t i = 0; i < count * cols; ++i)
      out[i] = stored[static_cast<std::size_t>(place_of_row(tensor, i, head_size))];
    return;
  }
  for (std::int64_t row = first; row < first + count; ++row, out += cols)
    dequantize(tensor.dtype, tensor.data.data() + place_of_row(tensor, row, head_size) * row_bytes, cols, out);
}

}  // namespace layerboost
