// The architectures of GGUF files that are read, and what of each its metadata don't say.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// What llama.cpp knows by the name of an architecture, or its converter does.
struct GgufArchitecture {
  const char* name = "";
  bool interleaved = false;        // rows of q and k lie as RoPE's pairs do (Tensor::rope_heads)
  bool tokens_take_space = false;  // added tokens of SentencePiece take the white space behind them
  bool fused_up = false;           // ffn_up holds gate and up
  bool partial_rope = false;       // rope.dimension_count may be less than the head size
  bool norms_before = true;        // as Config::norms_before
  bool norms_after = false;        // ... and these
  bool qk_norm_whole = false;      // ... and these, which it always has
  bool scales = false;             // embedding_scale, residual_scale, attention.scale, logit_scale
  bool finetuned_is_rope = false;  // rope.scaling.finetuned says whether layers have RoPE, whatever its name says
  int without_rope = 0;            // every so many-th layer has no RoPE; 0: all have
  bool gemma = false;              // scaled embeddings and GELU; the norms' weights have their 1 already
  int scaled_by_width = 0;         // gemma: models of so many layers scale scores by 1 / sqrt(D / H)
  int window = 0;                  // attention.sliding_window
  int full_every = 0;            // attention.sliding_window_pattern: every so many-th layer has no window; 0: all have
  double local_rope_base = 0;    // rope.freq_base_swa, of layers with a window; 0: they are as others
  float attention_soft_cap = 0;  // attn_logit_softcapping; 0: the key isn't heeded
  float logit_soft_cap = 0;      // final_logit_softcapping
};

/// The architecture of this name; nullptr: there is none.
const GgufArchitecture* find_gguf_architecture(std::string_view name);

/// "llama (and mistral), phi3 and qwen2", but all of them.
std::string gguf_architecture_names();

}  // namespace layerboost
