#include "heal/transposed.h"

namespace layerboost {

PackedMatrix transposed_matrix(const Checkpoint& checkpoint, const std::vector<std::pair<std::string, int>>& parts,
                               int in, Precision precision) {
  std::int64_t total = 0;
  for (const auto& [name, out] : parts) total += out;
  std::vector<float> matrix(static_cast<std::size_t>(total) * static_cast<std::size_t>(in));
  float* target = matrix.data();
  for (const auto& part : parts) {
    const int out = part.second;
    const Tensor& tensor = checkpoint.tensor(part.first, {out, in});
#pragma omp parallel for schedule(dynamic, 64)
    for (int row = 0; row < out; ++row) read_rows(tensor, row, 1, target + static_cast<std::ptrdiff_t>(row) * in);
    target += static_cast<std::ptrdiff_t>(out) * in;
  }
  return transposed_matrix(matrix, static_cast<int>(total), in, precision);
}

PackedMatrix transposed_matrix(std::span<const float> matrix, int out, int in, Precision precision) {
  return {in, out, precision, [&](std::int64_t first, std::int64_t count, float* rows) {
            for (std::int64_t j = 0; j < out; ++j)
              for (std::int64_t i = 0; i < count; ++i)
                rows[i * out + j] = matrix[static_cast<std::size_t>(j * in + first + i)];
          }};
}

}  // namespace layerboost
