// The gradients of what model/residual.h computes.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/training_rows.h"
#include "model/residual.h"

namespace layerboost {

/// d_hidden += the gradient of take_rows() of the first `rows` of hidden for d_out, all [rows, D].
inline void take_rows_backward(const float* hidden, const std::vector<float>& norm, const Config& config,
                               const float* d_out, int rows, float* d_hidden) {
  if (norm.empty())
    add_rows(d_hidden, {}, {d_out, nullptr, rows, config.hidden});
  else
    rms_norm_backward(hidden, norm.data(), config.norm_eps, d_out, rows, config.hidden, d_hidden);
}

/// d_output, reshaped to [rows, D]: the gradient of add_output() by `output` [rows, D], which is read only where there
/// is a norm, for d_hidden [rows, D].
inline void add_output_backward(const float* output, const std::vector<float>& norm, const Config& config,
                                const float* d_hidden, Activations& d_output, KernelScratch& scratch) {
  if (norm.empty()) return pack_activations(d_hidden, d_output, config.residual_scale);
  const int rows = d_output.rows(), D = config.hidden;
  const std::size_t size = static_cast<std::size_t>(rows) * static_cast<std::size_t>(D);
  ScratchStack::Frame frame(scratch.caller());
  float* const before_norm = frame.take<float>(size);
  std::fill_n(before_norm, size, 0.0F);
  rms_norm_backward(output, norm.data(), config.norm_eps, d_hidden, rows, D, before_norm);
  pack_activations(before_norm, d_output, config.residual_scale);
}

}  // namespace layerboost
