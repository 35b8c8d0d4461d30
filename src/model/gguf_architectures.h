// The architectures of GGUF files that are read, and what of each its metadata don't say.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// What llama.cpp knows by the name of an architecture, or its converter does.
struct GgufArchitecture {
  const char* name = "";
  bool interleaved = false;        // rows of q and k lie as RoPE's pairs do (Tensor::rope_heads)
  bool fused_up = false;           // ffn_up holds gate and up
  bool partial_rope = false;       // rope.dimension_count may be less than the head size
  bool norms_before = true;        // as Config::norms_before
  bool norms_after = false;        // ... and these
  bool qk_norm_whole = false;      // ... and these, which it always has
  bool scales = false;             // embedding_scale, residual_scale, attention.scale, logit_scale
  bool finetuned_is_rope = false;  // rope.scaling.finetuned says whether layers have RoPE, whatever its name says
  int without_rope = 0;            // every so many-th layer has no RoPE; 0: all have
};

/// The architecture of this name; nullptr: there is none.
const GgufArchitecture* find_gguf_architecture(std::string_view name);

/// "llama (and mistral), phi3 and qwen2", but all of them.
std::string gguf_architecture_names();

}  // namespace layerboost
