// Where the time of a training step goes.
#pragma once

#include <array>
#include <string>

#include "base/clock.h"

namespace layerboost {

/// Parts of a step. "Products" are those with the base weights.
enum class Phase {
  below,              // layers below the lowest changed one
  teacher,            // the teacher's layers
  forward_products,   // of the student
  backward_products,  // of the student
  head_products,      // both models' logits, and their gradient
  head_rows,          // softmax, divergence
  lora,               // thin products, gradients
  mixer_forward,      // attention itself
  mixer_backward,
  rows,       // norms, RoPE, activation functions, residual sums
  optimizer,  // gradients' norm, AdamW, packing of what changed
};
inline constexpr int phase_count = 11;

/// "teacher", "forward products", ...
const char* name_of(Phase phase);

/// Seconds by phase. Not thread-safe: timed is what the thread of control does.
class Profile {
 public:
  /// Adds the time of its life to a phase.
  class Scope {
   public:
    Scope(Profile& profile, Phase phase) : profile_(profile), phase_(phase) {}
    ~Scope() { profile_.seconds_[static_cast<std::size_t>(phase_)] += clock_.seconds(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Profile& profile_;
    Phase phase_;
    Stopwatch clock_;
  };

  [[nodiscard]] double seconds(Phase phase) const { return seconds_[static_cast<std::size_t>(phase)]; }
  void reset() { seconds_ = {}; }

 private:
  std::array<double, phase_count> seconds_{};
};

}  // namespace layerboost
