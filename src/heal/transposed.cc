#include "heal/transposed.h"

#include <string>
#include <utility>
#include <vector>

namespace layerboost {

namespace {

using NamedWeights = std::vector<std::pair<std::string, int>>;  // names and outs

PackedMatrix read_transposed(const Model& model, const NamedWeights& weights, int in) {
  std::int64_t total = 0;
  for (const auto& [name, out] : weights) total += out;
  std::vector<float> matrix(static_cast<std::size_t>(total) * static_cast<std::size_t>(in));
  float* target = matrix.data();
  for (const auto& weight : weights) {
    const int out = weight.second;
    const Tensor& tensor = model.weights.checkpoint->tensor(weight.first, {out, in});
#pragma omp parallel for schedule(dynamic, 64)
    for (int row = 0; row < out; ++row) read_rows(tensor, row, 1, target + static_cast<std::ptrdiff_t>(row) * in);
    target += static_cast<std::ptrdiff_t>(out) * in;
  }
  return transposed_matrix(matrix, static_cast<int>(total), in, model.precision);
}

}  // namespace

PackedMatrix transposed_matrix(const Model& model, int layer, std::initializer_list<LayerPart> parts) {
  NamedWeights weights;
  for (const LayerPart part : parts)
    weights.emplace_back(weight_name(layer, part), static_cast<int>(shape_of(model.config, part).out));
  return read_transposed(model, weights, static_cast<int>(shape_of(model.config, *parts.begin()).in));
}

PackedMatrix transposed_head(const Model& model) {
  return read_transposed(model, {{head_name(model.config), model.config.vocab}}, model.config.hidden);
}

PackedMatrix transposed_matrix(std::span<const float> matrix, int out, int in, Precision precision) {
  return {in, out, precision, [&](std::int64_t first, std::int64_t count, float* rows) {
            for (std::int64_t j = 0; j < out; ++j)
              for (std::int64_t i = 0; i < count; ++i)
                rows[i * out + j] = matrix[static_cast<std::size_t>(j * in + first + i)];
          }};
}

}  // namespace layerboost
