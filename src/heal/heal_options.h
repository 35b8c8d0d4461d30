// What a healing run is made of. The flags of `layerboost heal`; docs/heal.md says what each does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/ranks.h"
#include "heal/distiller.h"
#include "heal/lora.h"

namespace layerboost {

struct HealOptions {
  std::string model_name;         // as MODEL names it, for finding it again; empty: the name in its configuration
  std::vector<std::string> text;  // files, or "self"
  std::string valid;              // a file; empty: the last 1 % of the text
  std::int64_t tokens = 10'000'000;
  int length = 1024;    // tokens of a sequence
  int batch = 8192;     // tokens of a step on each rank, rounded to whole sequences
  int micro_batch = 0;  // tokens that are in memory at once; 0: about 2048, fewer where memory asks for it
  LoraOptions lora;
  double rate = 2e-4;       // AdamW's learning rate at its highest,
  double warm_up = 0.03;    // reached after this share of the steps,
  double final_rate = 0.1;  // ... and at the end this share of it (cosine)
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, decay = 0;
  // The first stage, where mixers have parameters of their own: each mixer learns the model's own one's outputs.
  std::int64_t match_tokens = -1;  // -1: a tenth of tokens, and beside them
  double match_rate = 3e-3;        // AdamW's learning rate, throughout
  double clip = 1;                 // largest norm of the gradient; 0: any
  LossWeights loss;
  std::size_t memory = std::size_t{6} << 30;  // bytes of kept activations
  std::uint64_t seed = 0;
  std::int64_t measure_every = 0;  // tokens between measurements; 0: see tokens_between_measurements()
  int held_out = 16;               // sequences of held-out text
  int questions = 18;              // held-out questions about facts far back
  double save_minutes = 3;         // between checkpoints
  /// Processes that share each step's sequences; the first alone measures and writes.
  const Ranks* ranks = &Ranks::alone();

  /// Sequences of a step that each rank takes: as many on every one.
  [[nodiscard]] int own_sequences() const { return std::max(1, (batch + length / 2) / length); }
  [[nodiscard]] int sequences_per_step() const { return ranks->size() * own_sequences(); }
  [[nodiscard]] std::int64_t tokens_per_step() const { return std::int64_t{sequences_per_step()} * length; }
  [[nodiscard]] std::int64_t steps() const {
    return std::max<std::int64_t>(1, (tokens + tokens_per_step() - 1) / tokens_per_step());
  }
  [[nodiscard]] std::int64_t match_steps() const {
    const std::int64_t wanted = match_tokens >= 0 ? match_tokens : tokens / 10;
    return (wanted + tokens_per_step() - 1) / tokens_per_step();
  }
  /// Tokens from one measurement to the next: as wanted, or a twentieth of the run but at least eight times the
  /// held-out part, so that measuring takes a tenth of the time at most.
  [[nodiscard]] std::int64_t tokens_between_measurements() const {
    return measure_every > 0 ? measure_every : std::max(tokens / 20, std::int64_t{8} * held_out * length);
  }

  /// All that changes the result, by the names of flags; `batch` is that of one process that does it alone.
  [[nodiscard]] Json to_json() const;
};

/// The learning rate of step 1 .. steps.
double rate_at(const HealOptions& options, std::int64_t step);

}  // namespace layerboost
