// How fast the engine reads prompts and generates for many sequences at once: the work and the columns of
// llama-batched-bench.
#pragma once

#include "base/json.h"
#include "engine/engine.h"

namespace layerboost {

/// `batch` sequences read `prompt` tokens each, then all generate `generate` tokens together.
struct ThroughputRow {
  int batch = 0, prompt = 0, generate = 0;
  int runs = 0;                                      // short ones are repeated,
  double prompt_seconds = 0, generate_seconds = 0;   // and these are means
  std::size_t cache_bytes = 0;                       // of all sequences at the end
  std::size_t rss_bytes = 0;                         // of the process at the end
  std::size_t scratch_bytes = 0;                     // that the engine's steps compute in
  StepTimes prompt_times = {}, generate_times = {};  // of all runs

  [[nodiscard]] double prompt_speed() const { return batch * prompt / prompt_seconds; }        // tokens/s
  [[nodiscard]] double generate_speed() const { return batch * generate / generate_seconds; }  // tokens/s
  /// Keys of llama-batched-bench's JSONL (pp, tg, pl, n_kv, t_pp, speed_pp, t_tg, speed_tg, t, speed) and cache_bytes,
  /// rss_bytes, runs.
  [[nodiscard]] Json to_json() const;
};

/// Positions that the longest sequence of such a run comes to: the first one goes on while the others are read, each
/// step leaving room for less than a batch of such tokens.
int throughput_positions(int batch, int prompt, int generate, int step_tokens);

/// Random prompts, each another, in an engine of their own without a prefix cache; greedy. As in service, a sequence
/// whose prompt is read goes on at once, a token a step, while others are still read: prompt_seconds holds this too,
/// and generate_seconds is that of steps in which all sequences are written. `step_tokens`: the engine's, raised where
/// it is less than twice the batch. A shorter run comes first, uncounted, on the same memory; what takes less than a
/// second is repeated, up to eight times. Throws Error if positions or memory don't suffice or the model's logits
/// aren't numbers, Interrupted.
ThroughputRow run_throughput(const Model& model, const MixerList& mixers, int batch, int prompt, int generate,
                             int step_tokens);

}  // namespace layerboost
