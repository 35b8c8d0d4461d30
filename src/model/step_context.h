// What the layers of a step offer each other beside the residual stream.
#pragma once

#include <map>
#include <vector>

#include "kernels/activations.h"

namespace layerboost {

/// The queries that layers leave to later ones of the same step: of layers that somebody asks for (Mixer::sources())
/// alone. Buffers are kept from step to step.
class StepContext {
 public:
  /// A step of `rows` rows begins, in which the queries of these layers are asked for, [rows, width] each.
  void begin(std::vector<int> sources, int rows, int width);
  void end() { sources_.clear(); }
  /// Bytes of its buffers.
  [[nodiscard]] std::size_t bytes() const;

  /// Where this layer leaves its queries, those of the step's row i in row i; nullptr if nobody asks for them.
  [[nodiscard]] float* kept(int layer);
  /// The queries [N, H, d] that a source has left, RoPE applied. See MixerRows::step_row().
  [[nodiscard]] const float* queries(int source) const;

 private:
  [[nodiscard]] bool is_source(int layer) const;

  std::vector<int> sources_;
  std::map<int, AlignedBuffer> queries_;
};

}  // namespace layerboost
