#include "model/gguf_checkpoint.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/fused_tensors.h"
#include "model/gguf_architectures.h"
#include "model/gguf_parts.h"
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
    std::pair{"post_attention_norm", LayerPart::mixer_output_norm},
    std::pair{"post_ffw_norm", LayerPart::mlp_output_norm},
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
std::string hugging_face_name(std::string_view name, const GgufArchitecture& architecture) {
  for (const auto& [gguf, hf] : model_names) {
    if (name == gguf) return std::string(hf);
  }
  if (const auto parts = split_layer_name(name)) {
    // The names of what holds several weights are those that add_in_parts() knows.
    const auto fused = [&](const char* module) {
      return layer_tensor_name(parts->layer, fmt::format("{}.{}", module, parts->kind));
    };
    if (parts->module == "attn_qkv") return fused("self_attn.qkv_proj");
    if (parts->module == "ffn_up" && architecture.fused_up) return fused("mlp.gate_up_proj");
    for (const auto& [gguf, part] : layer_names) {
      if (parts->module == gguf)
        return layer_tensor_name(parts->layer, fmt::format("{}.{}", name_of(part), parts->kind));
    }
  }
  return std::string(name);
}

std::unique_ptr<Checkpoint> make(GgufFile&& whole, std::vector<MappedFile> files) {
  auto file = std::make_shared<const GgufFile>(std::move(whole));
  const std::string& where = file->where();
  Config config = gguf_config(*file);
  const GgufArchitecture& architecture = *find_gguf_architecture(config.arch);
  TensorTable tensors(where);
  for (const auto& [name, tensor] : file->tensors())
    add_in_parts(hugging_face_name(name, architecture), where, tensor, config, tensors);
  for (const auto& [name, why] : file->unreadable())
    add_unreadable_in_parts(hugging_face_name(name, architecture), where, why, tensors);
  // Not before q, k and v are taken apart: in one tensor they lie in that order, too.
  if (architecture.interleaved) tensors.order_heads(config);
  return make_checkpoint(
      std::move(config), std::move(tensors), [file] { return gguf_tokenizer(*file); }, std::move(files),
      known_end_tokens(*file));
}

/// The model that the parts beside `given` are, which is one of them; it goes by the name of the first, which has what
/// isn't tensors.
std::unique_ptr<Checkpoint> open_parts(const fs::path& given, int part, int parts) {
  const std::string name = given.filename().string(), ending = gguf_part_ending(part, parts);
  if (!name.ends_with(ending)) {
    fail("{}: part {} of {} of a split model; the parts are found by their names: this one should end in {}",
         given.string(), part + 1, parts, ending);
  }
  const std::string beginning = name.substr(0, name.size() - ending.size());
  std::vector<MappedFile> files;
  std::optional<GgufFile> whole;
  for (int i = 0; i < parts; ++i) {
    const fs::path path = given.parent_path() / (beginning + gguf_part_ending(i, parts));
    if (!is_there(path)) {
      fail("{}: part {} of {} of the model is missing, which should lie beside the others as {}", given.string(), i + 1,
           parts, path.string());
    }
    files.emplace_back(path);
    GgufFile read(files.back().bytes(), path.string());
    if (read.parts() != parts || read.part() != i) {
      fail("{}: is part {} of {}; by its name it should be part {} of {}", path.string(), read.part() + 1, read.parts(),
           i + 1, parts);
    }
    if (whole)
      whole->join(std::move(read));
    else
      whole.emplace(std::move(read));
  }
  const std::size_t tensors = whole->tensors().size() + whole->unreadable().size();
  if (const int told = whole->integer("split.tensors.count", static_cast<int>(tensors));
      static_cast<std::size_t>(told) != tensors)
    fail("{}: its parts have {} tensors, not {} as it says", whole->where(), tensors, told);
  return make(std::move(*whole), std::move(files));
}

}  // namespace

std::unique_ptr<Checkpoint> read_gguf(std::span<const std::byte> bytes, const std::string& where) {
  GgufFile file(bytes, where);
  if (file.parts() > 1) fail("{}: is one part of {} of a split model", where, file.parts());
  return make(std::move(file), {});
}

std::unique_ptr<Checkpoint> open_gguf(const fs::path& path) {
  std::vector<MappedFile> files;
  files.emplace_back(path);
  GgufFile file(files.front().bytes(), path.string());
  if (file.parts() > 1) return open_parts(path, file.part(), file.parts());
  return make(std::move(file), std::move(files));
}

}  // namespace layerboost
