// How fast a model reads prompts and generates for many sequences at once: the work and the columns of
// llama-batched-bench.
#pragma once

#include <vector>

#include "base/json.h"
#include "eval/subject.h"

namespace layerboost {

/// One run: `batch` sequences read `prompt` tokens each, then all generate `generate` tokens together.
struct ThroughputRow {
  int batch = 0, prompt = 0, generate = 0;
  double prompt_seconds = 0, generate_seconds = 0;
  std::size_t cache_bytes = 0;  // of all sequences at the end, as allocated
  std::size_t rss_bytes = 0;    // of the process at the end

  [[nodiscard]] double prompt_speed() const { return batch * prompt / prompt_seconds; }        // tokens/s
  [[nodiscard]] double generate_speed() const { return batch * generate / generate_seconds; }  // tokens/s
  /// Keys of llama-batched-bench's JSONL (pp, tg, pl, n_kv, t_pp, speed_pp, t_tg, speed_tg, t, speed) and cache_bytes,
  /// rss_bytes.
  [[nodiscard]] Json to_json() const;
};

/// Random prompts, greedy generation; every prompt's last token and every generated one get logits. A short run of the
/// same shapes comes first, uncounted. Throws Interrupted.
ThroughputRow run_throughput(Subject& subject, int batch, int prompt, int generate);

/// What the machine allows for the same work.
struct Roof {
  double prompt_seconds = 0;            // matrix products of the prompts alone, through oneDNN
  double generate_product_seconds = 0;  // matrix products of the generated tokens alone (weights are read)
  double generate_cache_seconds = 0;    // reading the caches once per step at the measured bandwidth
  double bandwidth = 0;                 // bytes/s of plain reading on all threads
  [[nodiscard]] double generate_seconds() const { return generate_product_seconds + generate_cache_seconds; }
};

/// Times the products of the subject's layers (those that its mixers use) and of the head on random data.
Roof measure_roof(const Subject& subject, const ThroughputRow& row);

/// Bytes/s of reading a buffer much larger than the caches on all threads; the best of several passes.
double read_bandwidth();

}  // namespace layerboost
