#include "heal/student_mlp.h"

#include <cstring>

#include "heal/residual_backward.h"
#include "heal/transposed.h"
#include "kernels/training_rows.h"

namespace layerboost {

StudentMlp::StudentMlp(const Model& model, int layer, const LoraSite& gate_up, const LoraSite& down,
                       const LoraOptions& options, StudentScratch& scratch)
    : model_(model),
      weights_(model.weights.layers[static_cast<std::size_t>(layer)]),
      gate_up_(weights_.gate_up, transposed_matrix(model, layer, {LayerPart::gate, LayerPart::up}), gate_up, options),
      down_(weights_.down, transposed_matrix(model, layer, {LayerPart::down}), down, options),
      scratch_(scratch) {}

void StudentMlp::assign(std::span<const float> parameters) {
  gate_up_.assign(parameters);
  down_.assign(parameters);
}

std::size_t StudentMlp::saved_bytes(std::ptrdiff_t rows) const {
  const Config& config = model_.config;
  const auto numbers = static_cast<std::size_t>(2 * config.ffn);
  const std::size_t rows_kept = weights_.mlp_output_norm.empty() ? 1 : 2;  // the input; what is put out
  return static_cast<std::size_t>(rows) *
             (rows_kept * static_cast<std::size_t>(config.hidden) * 4 + numbers * number_bytes(model_.precision)) +
         kept_bytes(gate_up_, rows, model_.precision) + kept_bytes(down_, rows, model_.precision);
}

void StudentMlp::forward(float* hidden, std::ptrdiff_t rows, MlpSaved& saved) const {
  const Config& config = model_.config;
  const int D = config.hidden, F = config.ffn;
  const Precision precision = model_.precision;
  const std::size_t size = number_bytes(precision), N = static_cast<std::size_t>(rows);
  float* const kept = saved.hidden.reserve_as<float>(N * static_cast<std::size_t>(D));
  std::byte* const gate_up = saved.gate_up.reserve(N * static_cast<std::size_t>(2 * F) * size);
  saved.t_gate_up.reserve(kept_bytes(gate_up_, rows, precision));
  saved.t_down.reserve(kept_bytes(down_, rows, precision));
  float* const output =
      weights_.mlp_output_norm.empty() ? nullptr : saved.output.reserve_as<float>(N * static_cast<std::size_t>(D));
  float* const product = scratch_.product.reserve_product(tile_rows, std::max(2 * F, D));
  Profile& profile = scratch_.profile;
  for_each_tile(rows, [&](std::ptrdiff_t row, int count) {
    float* const tile = hidden + row * D;
    const auto at = static_cast<std::size_t>(row) * size;
    {
      const Profile::Scope time(profile, Phase::rows);
      std::memcpy(kept + row * D, tile, static_cast<std::size_t>(count) * static_cast<std::size_t>(D) * sizeof(float));
      scratch_.normed.reshape(count, D, precision);
      take_rows(tile, {}, weights_.mlp_norm, config, scratch_.normed, scratch_.kernels);
    }
    Product wide = gate_up_.forward(scratch_.normed, product, kept_tile(saved.t_gate_up, gate_up_, row, precision),
                                    profile, scratch_.kernels);
    {
      const Profile::Scope time(profile, Phase::rows);
      if (!weights_.gate_up_bias.empty()) wide = add_bias(wide, weights_.gate_up_bias.data(), product);
      scratch_.activated.reshape(count, F, precision);
      gate_mul_keep(wide, config.gate, scratch_.activated, gate_up + at * static_cast<std::size_t>(2 * F));
    }
    Product out = down_.forward(scratch_.activated, product, kept_tile(saved.t_down, down_, row, precision), profile,
                                scratch_.kernels);
    const Profile::Scope time(profile, Phase::rows);
    if (!weights_.down_bias.empty()) out = add_bias(out, weights_.down_bias.data(), product);
    if (output != nullptr)
      std::memcpy(output + row * D, out.data,
                  static_cast<std::size_t>(count) * static_cast<std::size_t>(D) * sizeof(float));
    add_output(tile, {}, out, weights_.mlp_output_norm, config, scratch_.kernels);
  });
}

void StudentMlp::backward(const MlpSaved& saved, float* d_hidden, std::ptrdiff_t rows,
                          std::span<float> gradients) const {
  const Config& config = model_.config;
  const int D = config.hidden, F = config.ffn;
  const Precision precision = model_.precision;
  const std::size_t size = number_bytes(precision);
  float* const product = scratch_.product.reserve_product(tile_rows, std::max(F, D));
  const float* const hidden = reinterpret_cast<const float*>(saved.hidden.data());
  Profile& profile = scratch_.profile;
  for_each_tile(rows, [&](std::ptrdiff_t row, int count) {
    float* const d_tile = d_hidden + row * D;
    const auto at = static_cast<std::size_t>(row) * size;
    scratch_.dy.reshape(count, D, precision);
    scratch_.activated.reshape(count, F, precision);
    scratch_.d_wide.reshape(count, 2 * F, precision);
    scratch_.normed.reshape(count, D, precision);
    {
      const Profile::Scope time(profile, Phase::rows);
      add_output_backward(row_of(saved.output, row, D), weights_.mlp_output_norm, config, d_tile, scratch_.dy,
                          scratch_.kernels);
    }
    // The gradient of the activation comes first: it makes the product's input again, which the pairs' gradients read.
    down_.input_gradient(scratch_.dy, product, scratch_.d_kept, profile, scratch_.kernels);
    {
      const Profile::Scope time(profile, Phase::rows);
      gate_mul_backward(saved.gate_up.data() + at * static_cast<std::size_t>(2 * F), product, config.gate,
                        scratch_.d_wide, scratch_.activated);
    }
    down_.pair_gradients(scratch_.dy, scratch_.activated, kept_tile(saved.t_down, down_, row, precision),
                         scratch_.d_kept, gradients, profile, scratch_.kernels);
    gate_up_.input_gradient(scratch_.d_wide, product, scratch_.d_kept, profile, scratch_.kernels);
    {
      const Profile::Scope time(profile, Phase::rows);
      take_rows(hidden + row * D, {}, weights_.mlp_norm, config, scratch_.normed, scratch_.kernels);
      take_rows_backward(hidden + row * D, weights_.mlp_norm, config, product, count, d_tile);
    }
    gate_up_.pair_gradients(scratch_.d_wide, scratch_.normed, kept_tile(saved.t_gate_up, gate_up_, row, precision),
                            scratch_.d_kept, gradients, profile, scratch_.kernels);
  });
}

}  // namespace layerboost
