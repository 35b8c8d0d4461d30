// A language model with a plan: open it, measure it, let it write. A *plan* names one *mixer* for each layer: softmax
// attention, as the model was trained with, or what replaces it and keeps less of a sequence (a window, a linear state,
// nothing). A LanguageModel is weights, mixers and tokenizer together: opened once, which takes seconds, and then used
// by any number of threads until it goes. It keeps nothing between calls. It makes and heals no plans, which is done
// with the program (`layerboost boost`, `plan`, `heal`); sequences that come and go at any time are for ServingEngine
// (layerboost/engine.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layerboost/error.h"
#include "layerboost/export.h"
#include "layerboost/sampling.h"
#include "layerboost/types.h"

namespace layerboost {

/// How a model is opened.
struct ModelOptions {
  std::string plan;  // a plan file, in place of the one that the model's directory has; empty: that one, or none
  Precision precision = Precision::bf16;
  KvType kv = KvType::bf16;
  int threads = 0;  // that compute; 0: one for each physical core
};

/// The sizes of a model.
struct ModelShape {
  int layers = 0;        // L
  int hidden = 0;        // D
  int heads = 0;         // H, of queries
  int kv_heads = 0;      // G, of keys and values
  int head_size = 0;     // d
  int ffn = 0;           // F
  int vocab = 0;         // V
  int positions = 0;     // the most tokens of one sequence; 0: any number
  int longest_text = 0;  // ... or, with RoPE of the type dynamic, of one that is slow to write; 0: any number
};

/// A mean over the tokens of a text, cut into windows.
struct PerplexityResult {
  double perplexity = 0;        // exp(nll)
  double perplexity_error = 0;  // standard error, from the windows' means; NaN for fewer than two windows
  double nll = 0;               // negative log-likelihood of a token, in nats
  std::int64_t tokens = 0;      // that were predicted
  std::int64_t windows = 0;
};

/// One set of weights, the plan's mixers beside them, and a tokenizer. It owns its memory, and the files that it was
/// opened from needn't stay. Immutable: const members may be called by several threads at once, each of which then
/// computes with `threads` threads of its own.
///
/// Members throw Error as they say, and std::bad_alloc where there is no memory. Threads wait for each other at full
/// speed for some milliseconds, as GNU's OpenMP does by itself; a program that does other work beside the library
/// should be started with OMP_WAIT_POLICY=passive or GOMP_SPINCOUNT=2000.
class LAYERBOOST_API LanguageModel {
 public:
  /// Opens what the commands take for MODEL: a GGUF file, a Hugging Face directory, a directory that `layerboost
  /// boost`, `heal` or `export` wrote, ORG/NAME where the model was fetched, "smollm2-135m" with the plan that comes
  /// with layerboost, or "smollm2-135m:base" without it. The weights are read and packed here: this takes seconds.
  /// Throws Error where there is no such model, where it has no tokenizer, where plan, adapter and model don't belong
  /// together, and on a CPU without AVX2.
  explicit LanguageModel(const std::string& model, const ModelOptions& options = {});
  ~LanguageModel();
  LanguageModel(LanguageModel&& other) noexcept;
  LanguageModel& operator=(LanguageModel&& other) noexcept;

  [[nodiscard]] ModelShape shape() const;

  /// The mixer of each layer [L], as plans write it: "softmax", "window:256+4", "none", ...
  [[nodiscard]] std::vector<std::string> mixers() const;

  /// What the layers' caches keep of one sequence of this length. Requires: 0 <= tokens, at most
  /// shape().longest_text unless that is 0.
  [[nodiscard]] std::size_t cache_bytes(int tokens) const;

  /// The model's makers' own sampling, as far as its files tell; otherwise Sampling's defaults (the likeliest token).
  /// Throws Error where what they tell makes no sense.
  [[nodiscard]] Sampling own_sampling() const;

  /// The tokens of a prompt: after BOS where the model's own tokenizer adds it; control tokens such as "<|im_start|>"
  /// are taken for what they are. Any bytes will do. Throws Error for more than 2 GiB.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text) const;

  /// The bytes of `tokens`, which begin a text, without control tokens; unknown ids give nothing.
  [[nodiscard]] std::string decode(std::span<const TokenId> tokens) const;

  /// How well the model predicts `text` in windows of `context` tokens that don't overlap (0: 1024, or as many as the
  /// model has positions; BOS counts, where the tokenizer adds it; the first token of a window isn't predicted); of the
  /// first `windows` of them, or of all with 0. A text shorter than a window is one. Throws Error for a text of less
  /// than two tokens and for a context that isn't between 2 and shape().longest_text. Requires: windows >= 0.
  [[nodiscard]] PerplexityResult perplexity(std::string_view text, int context = 0, int windows = 0) const;

  /// Goes on from each of `prompts` (UTF-8), all of them in one batch: up to an end token of the model or `tokens` new
  /// tokens. Returns what was written [prompts.size()], UTF-8, without the prompts. The same seed gives the same texts.
  /// For streams and for prompts that come one after another there is ServingEngine. Throws Error for an empty prompt,
  /// for one that has no room for `tokens` more, and for sampling that makes no sense. Requires: tokens >= 1.
  [[nodiscard]] std::vector<std::string> generate(std::span<const std::string> prompts, int tokens,
                                                  const Sampling& sampling = {}, std::uint64_t seed = 0) const;

 private:
  friend class ServingEngine;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace layerboost
