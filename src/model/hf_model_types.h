// The types of models that Hugging Face's folders may hold, and what of each its config.json doesn't say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace layerboost {

/// What transformers know by the name of a type: the values that its configuration has where config.json has no such
/// key, and what its code does without being told.
struct HfModelType {
  /// Layers with a sliding window of the model's own: none has one; all have; those of `layer_types`, or from
  /// `max_window_layers` on, where `use_sliding_window` says so; most: those of `layer_types`, or all but every
  /// `full_every`-th.
  enum class Windows { none, all, some, most };

  const char* name = "";
  bool in_text_config = false;  // beside a vision tower, which isn't read: what is said of it is in "text_config", and
                                // its tensors are under "language_model"
  int layers = 0, hidden = 0, heads = 0, ffn = 0, vocab = 0;  // num_hidden_layers, ...; 0: config.json must say it
  int positions = 2048;                                       // max_position_embeddings
  int trained_positions = 0;   // original_max_position_embeddings; 0: where RoPE's parameters say nothing, all of them
  bool partial_rope = false;   // partial_rotary_factor may be less than 1
  bool only_longrope = false;  // RoPE's types are "default" and "longrope", of which "su" and "yarn" are old names
  double rope_base = 10000;    // rope_theta
  double local_rope_base = 0;  // rope_local_base_freq: of layers with a window; 0: they are as others
  bool rope_by_layer = false;  // no_rope_layers, no_rope_layer_interval
  double norm_eps = 1e-6;      // rms_norm_eps
  bool tied = false;           // tie_word_embeddings
  int kv_heads = 0;            // num_key_value_heads; 0: H
  int head_size = 0;           // head_dim; 0: D / H
  Windows windows = Windows::none;
  int window = 0;                   // sliding_window
  int full_every = 0;               // of Windows::most
  bool full_every_is_told = false;  // sliding_window_pattern may be another
  bool qkv_bias = false;            // q, k and v have biases
  bool attention_bias = false;      // these have them, and o, where config.json has "attention_bias"
  bool mlp_bias = false;            // gate, up and down have them where it has "mlp_bias"
  bool qk_norm = false;             // as Config::qk_norm
  bool qk_norm_whole = false;       // ... and these
  bool norms_before = true;
  bool norms_after = false;
  bool gemma = false;            // scaled embeddings, GELU, norms of 1 + weight, soft caps
  float attention_soft_cap = 0;  // attn_logit_softcapping; 0: the key isn't heeded
  float logit_soft_cap = 0;      // final_logit_softcapping
  bool multipliers = false;      // embedding_multiplier, residual_multiplier, attention_multiplier, logits_scaling
};

/// The name that a tensor has in a model of text alone; nothing where the tensor is of something else.
std::optional<std::string> name_in_language_model(const HfModelType& type, const std::string& name);

/// The name that a tensor of such a model has here: modules whose names mean something else in llama's layers, or have
/// none there, are called as tensor_names.h has them.
std::string name_in_llama(const HfModelType& type, const std::string& name);

/// The type of this name; nullptr: there is none.
const HfModelType* find_hf_model_type(std::string_view name);

/// "llama, mistral and qwen2", but all of them.
std::string hf_model_type_names();

}  // namespace layerboost
