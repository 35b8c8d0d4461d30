#include "model/gguf_checkpoint.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/tensor_table.h"

namespace layerboost {
namespace {

using Names = std::pair<std::string_view, std::string_view>;

constexpr std::array model_names = {
    Names{"token_embd.weight", "model.embed_tokens.weight"},
    Names{"output_norm.weight", "model.norm.weight"},
    Names{"output.weight", "lm_head.weight"},
};

constexpr std::array layer_names = {
    Names{"attn_norm", "input_layernorm"},    Names{"attn_q", "self_attn.q_proj"},
    Names{"attn_k", "self_attn.k_proj"},      Names{"attn_v", "self_attn.v_proj"},
    Names{"attn_output", "self_attn.o_proj"}, Names{"attn_q_norm", "self_attn.q_norm"},
    Names{"attn_k_norm", "self_attn.k_norm"}, Names{"ffn_norm", "post_attention_layernorm"},
    Names{"ffn_gate", "mlp.gate_proj"},       Names{"ffn_up", "mlp.up_proj"},
    Names{"ffn_down", "mlp.down_proj"},
};

/// "blk.12.attn_q.weight" in parts.
struct LayerTensor {
  std::string_view layer, module, kind;
};

std::optional<LayerTensor> split_layer_name(std::string_view name) {
  if (!name.starts_with("blk.")) return std::nullopt;
  const auto first = name.find('.', 4);
  const auto last = name.rfind('.');
  if (first == std::string_view::npos || last <= first) return std::nullopt;
  return LayerTensor{name.substr(4, first - 4), name.substr(first + 1, last - first - 1), name.substr(last + 1)};
}

/// The Hugging Face name; names without a meaning here are kept.
std::string hugging_face_name(std::string_view name) {
  for (const auto& [gguf, hf] : model_names) {
    if (name == gguf) return std::string(hf);
  }
  if (const auto parts = split_layer_name(name)) {
    for (const auto& [gguf, hf] : layer_names) {
      if (parts->module == gguf) return fmt::format("model.layers.{}.{}.{}", parts->layer, hf, parts->kind);
    }
  }
  return std::string(name);
}

/// Of arch llama, the converter interleaves the rows of q and k; the number of their heads, or 0.
int interleaved_heads(std::string_view name, const Config& config) {
  if (config.arch != "llama") return 0;
  const auto parts = split_layer_name(name);
  if (!parts) return 0;
  return parts->module == "attn_q" ? config.heads : parts->module == "attn_k" ? config.kv_heads : 0;
}

std::unique_ptr<Checkpoint> make(std::span<const std::byte> bytes, const std::string& where,
                                 std::vector<MappedFile> files) {
  auto file = std::make_shared<const GgufFile>(bytes, where);
  Config config = gguf_config(*file);
  TensorTable tensors(where);
  for (const auto& [name, stored] : file->tensors()) {
    Tensor tensor = stored;
    tensor.rope_heads = interleaved_heads(name, config);
    tensors.add(hugging_face_name(name), where, std::move(tensor));
  }
  return make_checkpoint(
      std::move(config), std::move(tensors), [file] { return gguf_tokenizer(*file); }, std::move(files));
}

}  // namespace

std::unique_ptr<Checkpoint> read_gguf(std::span<const std::byte> bytes, const std::string& where) {
  return make(bytes, where, {});
}

std::unique_ptr<Checkpoint> open_gguf(const fs::path& path) {
  std::vector<MappedFile> files;
  files.emplace_back(path);
  const std::span<const std::byte> bytes = files.front().bytes();
  return make(bytes, path.string(), std::move(files));
}

}  // namespace layerboost
