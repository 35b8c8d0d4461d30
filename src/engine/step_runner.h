// What runs the engine's steps: a model, or what stands for one in tests of scheduling.
#pragma once

#include <functional>
#include <span>

#include "model/runner.h"

namespace layerboost {

/// One engine's, and used by its compute thread alone.
class StepRunner {
 public:
  virtual ~StepRunner() = default;

  /// Reads the items' tokens: their sequences advance, their caches grow. Returns hidden [N, D], N the sum of the
  /// items' tokens, valid until the next call.
  virtual const float* forward(std::span<const BatchItem> items) = 0;

  /// Hands over the logits of the named rows of hidden, as Runner::logits() does.
  virtual void logits(const float* hidden, std::span<const int> rows,
                      const std::function<void(const LogitsBlock&)>& consume) = 0;

  /// Hands over the named rows of hidden after the final norm, as Runner::final_states() does.
  virtual void final_states(const float* hidden, std::span<const int> rows,
                            const std::function<void(int count, const float* states)>& consume) = 0;

  /// Where its time went, and the engine's own beside it.
  virtual StepTimes& times() = 0;

  /// Bytes of memory that it computes in.
  [[nodiscard]] virtual std::size_t scratch_bytes() const = 0;
};

/// Runs the model itself.
class ModelStepRunner final : public StepRunner {
 public:
  /// Requires: `model` outlives this.
  explicit ModelStepRunner(const Model& model) : runner_(model) {}
  const float* forward(std::span<const BatchItem> items) override { return runner_.forward(items); }
  void logits(const float* hidden, std::span<const int> rows,
              const std::function<void(const LogitsBlock&)>& consume) override {
    runner_.logits(hidden, rows, consume);
  }
  void final_states(const float* hidden, std::span<const int> rows,
                    const std::function<void(int count, const float* states)>& consume) override {
    runner_.final_states(hidden, rows, consume);
  }
  StepTimes& times() override { return runner_.workspace().times; }
  [[nodiscard]] std::size_t scratch_bytes() const override { return runner_.scratch_bytes(); }

 private:
  Runner runner_;
};

}  // namespace layerboost
