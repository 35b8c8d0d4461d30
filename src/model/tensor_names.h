// Which tensors a model has: their names, which are Hugging Face's whatever file they are in, and their shapes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace layerboost {

// Tensors of the whole model. The head has a weight of its own only where it isn't tied to the embeddings.
inline constexpr const char* embeddings_name = "model.embed_tokens.weight";
inline constexpr const char* final_norm_name = "model.norm.weight";
inline constexpr const char* own_head_name = "lm_head.weight";
/// The weight that the head multiplies with.
const char* head_name(const Config& config);

/// The parts of a layer that have weights.
enum class LayerPart {
  mixer_norm,
  q,
  k,
  v,
  o,
  q_norm,
  k_norm,
  mixer_output_norm,
  mlp_norm,
  gate,
  up,
  down,
  mlp_output_norm
};

/// "self_attn.q_proj".
const char* name_of(LayerPart part);
/// "model.layers.3.self_attn.q_proj.weight".
std::string weight_name(int layer, LayerPart part);
/// "model.layers.3.self_attn.q_proj.bias".
std::string bias_name(int layer, LayerPart part);
/// "model.layers.3.REST".
std::string layer_tensor_name(std::string_view layer, std::string_view rest);
std::string layer_tensor_name(int layer, std::string_view rest);
/// The beginning of the names of all tensors of a layer's attention.
std::string attention_prefix(int layer);

/// The shape of a weight matrix, [out, in].
struct MatrixShape {
  std::int64_t out = 0, in = 0;
};
/// Requires: `part` isn't a norm.
MatrixShape shape_of(const Config& config, LayerPart part);

/// Calls `visit` with the name and shape of every tensor that a model of this configuration must have, in the order of
/// the forward pass.
void for_each_tensor(const Config& config,
                     const std::function<void(const std::string&, const std::vector<std::int64_t>&)>& visit);

}  // namespace layerboost
