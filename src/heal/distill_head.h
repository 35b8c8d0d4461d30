// The loss at the end of both models: KL of the full next-token distributions, computed and differentiated in blocks of
// rows, so that logits never take [N, V].
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "heal/profile.h"
#include "kernels/training_rows.h"
#include "model/model.h"

namespace layerboost {

class DistillHead {
 public:
  /// Packs the head's transpose. Requires: `model` outlives this.
  explicit DistillHead(const Model& model);

  /// Hidden states after the last layer, teacher, student [N, D]; targets [N], the next tokens, -1 where there is none.
  /// rows [N] gets the losses. d_student [N, D], the gradient of their sum times loss.factor for `student`, is
  /// overwritten; nullptr: only losses are wanted.
  void run(const float* teacher, const float* student, std::span<const std::int32_t> targets, const LogitsLoss& loss,
           float* d_student, std::span<LogitsRow> rows, Profile& profile);

  /// For each d of `d_hidden` ([N, D] each, overwritten) the gradient for hidden [N, D] of the sum of log p over the
  /// named rows (no row twice), each of a token of its own: `choose(i, logits [V], tokens)` gives those of rows[i], one
  /// for each d, and may be called from several threads at once. Their gradients differ in the tokens' rows of the head
  /// alone, so that all cost little more than one.
  using ChooseTokens = std::function<void(std::size_t i, const float* logits, std::span<std::int32_t> tokens)>;
  void likelihood_gradients(const float* hidden, std::ptrdiff_t N, std::span<const int> rows,
                            const ChooseTokens& choose, std::span<float* const> d_hidden);

  /// The likeliest token of each named row of hidden [*, D].
  void best_tokens(const float* hidden, std::span<const int> rows, std::span<std::int32_t> best);

  /// Bytes of memory that it computes in.
  [[nodiscard]] std::size_t scratch_bytes() const {
    return normed_.bytes() + gradient_.bytes() + teacher_.capacity() + student_.capacity() + d_normed_.capacity() +
           kernels_.bytes();
  }

 private:
  const float* logits(const float* hidden, std::span<const int> index, int count, AlignedBuffer& buffer);
  /// From gradient_, of `logits` [n, V], that of the final norm's result [n, D]; gradient_ is changed.
  const float* back_through_head(const float* logits);

  const Model& model_;
  PackedMatrix transposed_;     // [D, V]
  const Tensor& rows_of_head_;  // [V, D]
  Activations normed_, gradient_;
  AlignedBuffer teacher_, student_, d_normed_;
  KernelScratch kernels_;
};

}  // namespace layerboost
