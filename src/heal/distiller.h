// One batch of text through teacher and student: the losses, and their gradient.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heal/distill_head.h"
#include "heal/student.h"
#include "model/runner.h"

namespace layerboost {

/// What the student learns from: kl KL(teacher || student) + ce (-log p_student(next token)) + hidden mean over the
/// student's layers of |h_teacher - h_student|^2 / |h_teacher|^2, each a mean over tokens.
struct LossWeights {
  double kl = 1, ce = 0, hidden = 0;
};

/// Sums over tokens; mean values divide by `tokens` and `targets`.
struct LossSums {
  double kl = 0, hidden = 0, match = 0;  // nats; relative squares
  double nll = 0, teacher_nll = 0;       // nats
  std::int64_t tokens = 0;               // rows
  std::int64_t targets = 0;              // rows that have a next token

  LossSums& operator+=(const LossSums& other);
  /// The weighted loss per token.
  [[nodiscard]] double loss(const LossWeights& weights) const;
};

/// Runs the base weights' teacher (the model's own mixers) and a student. Owns scratch memory.
class Distiller {
 public:
  /// Requires: `model` and `student` outlive this.
  Distiller(const Model& model, Student& student, const LossWeights& weights);

  /// Adds the gradient of the sum over tokens of the loss to `gradients`. tokens [sequences * length].
  LossSums learn(std::span<const TokenId> tokens, const CoreBatch& batch, std::span<float> gradients);

  /// The mixers' own parameters alone, each layer fed with the teacher's hidden states: the mean over cores() of
  /// Student::match(), times the tokens; adds the gradient of that.
  double match(std::span<const TokenId> tokens, const CoreBatch& batch, std::span<float> gradients);

  /// The losses alone. Where `each` isn't nullptr it gets those of each sequence.
  LossSums measure(std::span<const TokenId> tokens, const CoreBatch& batch, std::vector<LossSums>* each = nullptr);

  /// The student's likeliest next token after each of `rows` of the batch.
  void best_tokens(std::span<const TokenId> tokens, const CoreBatch& batch, std::span<const int> rows,
                   std::span<TokenId> best);

  /// Bytes of memory that both models compute in, beside hidden states and what the student keeps for its backward.
  [[nodiscard]] std::size_t scratch_bytes() const {
    return runner_.scratch_bytes() + student_.scratch_bytes() + head_.scratch_bytes();
  }

 private:
  void begin(std::span<const TokenId> tokens, const CoreBatch& batch);
  float* run_below(std::span<const TokenId> tokens, const CoreBatch& batch);
  const float* run_teacher(const CoreBatch& batch, bool keep_layers);
  LossSums sum_losses(const CoreBatch& batch, std::vector<LossSums>* each) const;
  void set_targets(std::span<const TokenId> tokens, const CoreBatch& batch);
  double add_hidden_loss(const float* teacher, const float* student, float* d_student) const;

  const Model& model_;
  Student& student_;
  LossWeights weights_;
  MixerSet mixers_;
  const MixerList& native_;
  Runner runner_;
  CachePools pools_;
  DistillHead head_;
  std::vector<std::unique_ptr<MixerCore>> native_cores_;  // the model's own mixers of the student's cores' layers
  std::vector<float> match_gradients_;
  std::vector<Sequence> sequences_;
  std::vector<BatchItem> items_;
  AlignedBuffer hidden_, teacher_hidden_, d_hidden_;
  std::vector<AlignedBuffer> teacher_layers_;  // outputs of the student's layers but the last, [N, D]
  std::vector<std::int32_t> targets_;
  std::vector<LogitsRow> rows_;
};

}  // namespace layerboost
