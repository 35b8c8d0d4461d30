// The MLP of a student's layer: forward that keeps what backward needs, and backward.
#pragma once

#include <span>

#include "heal/lora.h"
#include "heal/student_scratch.h"

namespace layerboost {

/// What one forward leaves for its backward; N rows.
struct MlpSaved {
  AlignedBuffer hidden;             // [N, D] the input
  AlignedBuffer gate_up;            // [N, 2F] in the model's precision
  AlignedBuffer t_gate_up, t_down;  // LoRA's A x
  AlignedBuffer output;             // [N, D] what `down` puts out, where a norm follows only
};

class StudentMlp {
 public:
  /// Requires: what references lead to outlives this.
  StudentMlp(const Model& model, int layer, const LoraSite& gate_up, const LoraSite& down, const LoraOptions& options,
             StudentScratch& scratch);

  void assign(std::span<const float> parameters);
  [[nodiscard]] std::size_t saved_bytes(std::ptrdiff_t rows) const;

  /// hidden [rows, D] += mlp(hidden), with norms and factor as model/residual.h has them.
  void forward(float* hidden, std::ptrdiff_t rows, MlpSaved& saved) const;

  /// d_hidden: from the gradient of the output to that of the input. Adds to the pairs' gradients.
  void backward(const MlpSaved& saved, float* d_hidden, std::ptrdiff_t rows, std::span<float> gradients) const;

 private:
  const Model& model_;
  const LayerWeights& weights_;
  LoraProduct gate_up_, down_;
  StudentScratch& scratch_;
};

}  // namespace layerboost
