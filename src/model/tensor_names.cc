#include "model/tensor_names.h"

#include "base/error.h"

namespace layerboost {

const char* head_name(const Config& config) { return config.tied_embeddings ? embeddings_name : own_head_name; }

const char* name_of(LayerPart part) {
  switch (part) {
    case LayerPart::mixer_norm:
      return "input_layernorm";
    case LayerPart::q:
      return "self_attn.q_proj";
    case LayerPart::k:
      return "self_attn.k_proj";
    case LayerPart::v:
      return "self_attn.v_proj";
    case LayerPart::o:
      return "self_attn.o_proj";
    case LayerPart::q_norm:
      return "self_attn.q_norm";
    case LayerPart::k_norm:
      return "self_attn.k_norm";
    case LayerPart::mixer_output_norm:  // a name of ours: models don't agree on one; where there is attention only
      return "self_attn.output_norm";
    case LayerPart::mlp_norm:
      return "post_attention_layernorm";
    case LayerPart::gate:
      return "mlp.gate_proj";
    case LayerPart::up:
      return "mlp.up_proj";
    case LayerPart::down:
      return "mlp.down_proj";
    case LayerPart::mlp_output_norm:  // ours, too
      return "mlp.output_norm";
  }
  LB_CHECK(false);
}

std::string weight_name(int layer, LayerPart part) {
  return layer_tensor_name(layer, std::string(name_of(part)) + ".weight");
}

std::string bias_name(int layer, LayerPart part) {
  return layer_tensor_name(layer, std::string(name_of(part)) + ".bias");
}

std::string layer_tensor_name(std::string_view layer, std::string_view rest) {
  return fmt::format("model.layers.{}.{}", layer, rest);
}

std::string layer_tensor_name(int layer, std::string_view rest) {
  return layer_tensor_name(std::to_string(layer), rest);
}

std::string attention_prefix(int layer) { return layer_tensor_name(layer, "self_attn."); }

MatrixShape shape_of(const Config& config, LayerPart part) {
  const std::int64_t D = config.hidden, F = config.ffn, q = config.q_size(), kv = config.kv_size();
  switch (part) {
    case LayerPart::q:
      return {q, D};
    case LayerPart::k:
    case LayerPart::v:
      return {kv, D};
    case LayerPart::o:
      return {D, q};
    case LayerPart::gate:
    case LayerPart::up:
      return {F, D};
    case LayerPart::down:
      return {D, F};
    default:
      LB_CHECK(false);
  }
}

void for_each_tensor(const Config& c,
                     const std::function<void(const std::string&, const std::vector<std::int64_t>&)>& visit) {
  visit(embeddings_name, {c.vocab, c.hidden});
  for (int layer = 0; layer < c.layers; ++layer) {
    const auto norm = [&](LayerPart part, int size) { visit(weight_name(layer, part), {size}); };
    const auto matrix = [&](LayerPart part, bool bias) {
      const auto [out, in] = shape_of(c, part);
      visit(weight_name(layer, part), {out, in});
      if (bias) visit(bias_name(layer, part), {out});
    };
    const AttentionParts parts = c.attention_of(layer);
    if (parts != AttentionParts::none && c.norms_before) norm(LayerPart::mixer_norm, c.hidden);
    if (parts == AttentionParts::all) {
      for (const LayerPart part : {LayerPart::q, LayerPart::k, LayerPart::v}) matrix(part, c.qkv_bias);
      if (c.qk_norm) {
        norm(LayerPart::q_norm, c.qk_norm_whole ? c.q_size() : c.head_size);
        norm(LayerPart::k_norm, c.qk_norm_whole ? c.kv_size() : c.head_size);
      }
      matrix(LayerPart::o, c.o_bias);
      if (c.norms_after) norm(LayerPart::mixer_output_norm, c.hidden);
    }
    if (c.norms_before) norm(LayerPart::mlp_norm, c.hidden);
    for (const LayerPart part : {LayerPart::gate, LayerPart::up, LayerPart::down}) matrix(part, c.mlp_bias);
    if (c.norms_after) norm(LayerPart::mlp_output_norm, c.hidden);
  }
  visit(final_norm_name, {c.hidden});
  if (!c.tied_embeddings) visit(own_head_name, {c.vocab, c.hidden});
}

}  // namespace layerboost
