// The shape of a model, independent of the file it came from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "kernels/gate.h"
#include "kernels/rope_lengths.h"

namespace layerboost {

/// Rotary position embedding. Frequencies of a head of size d: base^(-2i/d), i < d/2, changed by `scaling`. Where those
/// of long texts differ, all tokens of a text have those that its length asks for, also the first ones. With the
/// scaling `dynamic` each length has its own: the text is then another one for the model with each token that is added.
struct RopeConfig {
  enum class Scaling { none, linear, llama3, yarn, dynamic };
  double base = 10000;
  Scaling scaling = Scaling::none;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  double attention_factor = 1;                       // yarn, longrope: cosines and sines are multiplied by it
  double original_positions = 0;                     // llama3, yarn: positions before scaling
  bool truncate = true;                              // yarn: whether the ramp begins and ends at whole dimensions
  std::vector<double> divisors;       // empty, or d/2 numbers (half of those rotated) that divide the frequencies after
                                      // scaling (GGUF's rope_freqs.weight, longrope's short factors)
  std::vector<double> long_divisors;  // longrope: in place of `divisors` for texts of more tokens than longest_short
  int longest_short = std::numeric_limits<int>::max();  // longrope, dynamic; every text is a short one
  int rotated = 0;  // so many of a head's d numbers, an even number below d, have RoPE (Phi-4-mini); 0: all

  [[nodiscard]] int rotated_of(int head_size) const { return rotated > 0 ? rotated : head_size; }

  /// The d/2 frequencies (radians per position) of a text of so many tokens after scaling, as Hugging Face's
  /// `_compute_*_parameters` define them; those of pairs that have no RoPE, which are the last, are 0.
  [[nodiscard]] std::vector<double> frequencies(int head_size, int tokens = 1) const;
  /// dynamic: [d/2], the powers of RopeLengths::stretch() that the frequencies of a longer text are divided by.
  [[nodiscard]] std::vector<double> exponents(int head_size) const;
  /// Which rotations long texts have; requires `dynamic`.
  [[nodiscard]] RopeLengths lengths() const { return {longest_short, factor}; }
  /// Where in the model's table of rotations (Model::rope()) those of a text of so many tokens begin: what a sequence
  /// keeps can only be read on with rotations that begin there, too.
  [[nodiscard]] int rotations(int tokens) const {
    if (tokens <= longest_short) return 0;
    return scaling == Scaling::dynamic ? lengths().first_row(tokens) : longest_short;
  }
  /// Whether texts of several lengths have the rotations that begin there. Where they haven't, what was
  /// read is of use to texts of exactly that length alone, and to each for the one token that comes after it.
  [[nodiscard]] bool of_several_lengths(int rotations) const { return scaling != Scaling::dynamic || rotations == 0; }
};

/// The rotations of a layer's q and k.
enum class LayerRope { usual, none, local };

/// "usual", ..., as exported models have them.
const char* name_of(LayerRope rope);

/// What a layer has weights of: everything; the norm before its mixer only (for a mixer with parameters of its own in
/// place of attention); not even that (a layer without a mixer). Each has what those after it have. Less than
/// everything in exported models only.
enum class AttentionParts { all, norm, none };

/// How a model's makers mean its text to be sampled, as far as its files say it (generation_config.json;
/// general.sampling.* in GGUF); not checked. top_k -1 or 0: all tokens.
struct SamplingDefaults {
  std::optional<double> temperature, top_p, top_k, min_p, repetition_penalty;
  [[nodiscard]] bool any() const { return temperature || top_p || top_k || min_p || repetition_penalty; }
};

/// The shape of a model, and what its files say of its use.
struct Config {
  std::string arch;             // "llama", "qwen2", ...: a name of hf_model_types.cc, gguf_architectures.cc
  std::string name;             // for people
  std::string license;          // as GGUF names it (general.license); empty: not said there
  int layers = 0;               // L
  int hidden = 0;               // D
  int heads = 0, kv_heads = 0;  // H, G
  int head_size = 0;            // d
  int ffn = 0;                  // F
  int vocab = 0;                // V
  int max_positions = 0;
  float norm_eps = 1e-5F;
  RopeConfig rope;
  bool tied_embeddings = false;
  bool qkv_bias = false;                  // qwen2
  bool o_bias = false, mlp_bias = false;  // llama with attention_bias / mlp_bias
  bool qk_norm = false;                   // qwen3: RMSNorm over d on each head of q and k, before RoPE
  bool qk_norm_whole = false;             // ... or over all of their heads as one (olmo2)
  bool norms_before = true;               // RMSNorm of what mixers and MLPs read
  bool norms_after = false;               // RMSNorm of what they put out (olmo2, which has none before)
  float embedding_scale = 1;              // embeddings are multiplied by it (granite)
  float residual_scale = 1;               // ... and what mixers and MLPs add to the residual stream
  float logit_scale = 1;                  // ... and logits
  float attention_scale = 0;              // ... and scores q k; 0: by 1 / sqrt(d)
  float attention_soft_cap = 0;           // soft cap of scores (kernels/soft_cap.h; gemma2); 0: none
  float logit_soft_cap = 0;               // ... and of logits
  Gate gate = Gate::silu;                 // of the MLP
  bool norms_plus_one = false;            // the norms' weights are what is to be added to 1 (gemma3)
  bool one_in_norms = false;              // ... and had it added by whoever wrote the file (gemma in GGUF)
  RopeConfig local_rope;                  // of layers with LayerRope::local
  std::vector<LayerRope> rope_layers;     // [L]; empty: all as usual (smollm3: some none; gemma3: windows local)
  std::vector<int> windows;  // per layer: the model's own sliding window w (a token sees itself and the w - 1 before
                             // it); 0: full attention, also where no text leaves the window
  int longest_in_windows = std::numeric_limits<int>::max();  // tokens; a longer text would leave a window that is 0 in
                                                             // `windows` because the model's positions don't
  std::vector<int> base_windows;  // of the model that an exported one was made of, [L], or empty: it has none
  std::vector<int> eos;           // token ids that end a sequence
  std::vector<int> not_eos;       // ... and that don't even where one is the tokenizer's EOS (known_end_tokens())
  std::vector<AttentionParts> attention;  // [L], or empty: all everywhere
  SamplingDefaults sampling;

  [[nodiscard]] int q_size() const { return heads * head_size; }
  [[nodiscard]] int kv_size() const { return kv_heads * head_size; }
  /// What attention multiplies scores q k by.
  [[nodiscard]] float score_scale() const;
  [[nodiscard]] LayerRope rope_of(int layer) const {
    return rope_layers.empty() ? LayerRope::usual : rope_layers[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] bool has_rope(int layer) const { return rope_of(layer) != LayerRope::none; }
  /// The frequencies of all layers' RoPE in a text of so many tokens: d/2 usual ones, then, where layers have them, d/2
  /// local ones.
  [[nodiscard]] std::vector<double> rope_frequencies(int tokens = 1) const;
  /// In the same order, RopeConfig::exponents(); requires `dynamic`.
  [[nodiscard]] std::vector<double> rope_exponents() const;
  /// Where a layer's begin among these.
  [[nodiscard]] int first_rope_frequency(int layer) const {
    return rope_of(layer) == LayerRope::local ? head_size / 2 : 0;
  }
  /// The most tokens that a text may have. They are more than the model's positions where RoPE is made for that, but
  /// then each token that is written beyond these has the whole text read anew.
  [[nodiscard]] int longest_text() const {
    if (rope.scaling != RopeConfig::Scaling::dynamic) return max_positions;
    return std::max(max_positions, std::min(longest_in_windows, rope.lengths().longest()));
  }
  /// Whether so many tokens are more than the model's positions, where it reads some texts that are longer than these.
  [[nodiscard]] bool beyond_positions(std::int64_t tokens) const {
    return tokens > max_positions && longest_text() > max_positions;
  }
  [[nodiscard]] AttentionParts attention_of(int layer) const {
    return attention.empty() ? AttentionParts::all : attention[static_cast<std::size_t>(layer)];
  }
};

/// The most layers that a model may have.
inline constexpr int max_layers = 4096;

/// Throws Error (message begins with `where`) unless the sizes are positive, sane (each at most 2^24, L at most
/// max_layers, products within 2^40), H is a multiple of G, d is even, windows and rope_layers have L entries (the
/// latter may have none), and RoPE's numbers and soft caps make sense.
void check_config(const Config& config, const std::string& where);

}  // namespace layerboost
