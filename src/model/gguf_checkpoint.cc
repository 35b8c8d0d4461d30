#include "model/gguf_checkpoint.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/tensor_names.h"
#include "model/tensor_table.h"

namespace layerboost {
namespace {

constexpr std::array model_names = {
    std::pair{"token_embd.weight", embeddings_name},
    std::pair{"output_norm.weight", final_norm_name},
    std::pair{"output.weight", own_head_name},
};

constexpr std::array layer_names = {
    std::pair{"attn_norm", LayerPart::mixer_norm},
    std::pair{"attn_q", LayerPart::q},
    std::pair{"attn_k", LayerPart::k},
    std::pair{"attn_v", LayerPart::v},
    std::pair{"attn_output", LayerPart::o},
    std::pair{"attn_q_norm", LayerPart::q_norm},
    std::pair{"attn_k_norm", LayerPart::k_norm},
    std::pair{"ffn_norm", LayerPart::mlp_norm},
    std::pair{"ffn_gate", LayerPart::gate},
    std::pair{"ffn_up", LayerPart::up},
    std::pair{"ffn_down", LayerPart::down},
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
    for (const auto& [gguf, part] : layer_names) {
      if (parts->module == gguf)
        return layer_tensor_name(parts->layer, fmt::format("{}.{}", name_of(part), parts->kind));
    }
  }
  return std::string(name);
}

/// Returns the number of heads whose rows lie interleaved in this tensor, as the converter leaves q and k of arch
/// llama; 0: none do.
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
