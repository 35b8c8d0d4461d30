#include "model/safetensors_checkpoint.h"

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/in_quotes.h"
#include "kernels/bf16.h"
#include "model/fused_tensors.h"
#include "model/hf_config.h"
#include "model/hf_json.h"
#include "model/hf_model_types.h"
#include "model/hub_folder.h"
#include "model/safetensors_file.h"
#include "model/tensor_names.h"
#include "model/tensor_table.h"

namespace layerboost {
namespace {

/// Tensor name to shard, from model.safetensors.index.json. Throws Error for a shard that isn't a plain file name.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const std::string where = path.string();
  const SortedJson json = parse_object(read_file(path), where);
  const SortedJson* weight_map = JsonFields(json, where).find("weight_map");
  if (weight_map == nullptr || !weight_map->is_object()) fail("{}: missing \"weight_map\"", where);
  std::map<std::string, std::string> shards;
  for (const auto& [name, file] : weight_map->items()) {
    if (!file.is_string()) fail("{}: the shard of tensor {} should be a string", where, in_quotes(name));
    const auto& shard = file.get_ref<const std::string&>();
    if (shard.find('/') != std::string::npos || shard.find('\0') != std::string::npos ||
        !shard.ends_with(".safetensors"))
      fail("{}: the shard {} should be the name of a .safetensors file in the same folder", where, in_quotes(shard));
    shards.emplace(name, shard);
  }
  return shards;
}

/// nullptr: an exported model's, whose file says everything and whose tensors have llama's names.
const HfModelType* type_of(const Config& config) {
  return config.attention.empty() ? find_hf_model_type(config.arch) : nullptr;
}

/// The tensors of one file, by the names that they have in llama's layers, but those of a vision tower. A base model's,
/// saved by itself, lack the prefix that they have in a model with a head.
void add_tensors(std::span<const std::byte> bytes, const std::string& where, const Config& config, TensorTable& table,
                 const std::function<bool(const std::string&)>& wanted) {
  std::map<std::string, std::string> unreadable;
  const HfModelType* const type = type_of(config);
  const auto full_name = [&](const std::string& given) -> std::optional<std::string> {
    const std::optional<std::string> name = type != nullptr ? name_in_language_model(*type, given) : given;
    if (!name) return std::nullopt;
    const bool base = name->starts_with("layers.") || *name == "embed_tokens.weight" || *name == "norm.weight";
    const std::string full = base ? "model." + *name : *name;
    return type != nullptr ? name_in_llama(*type, full) : full;
  };
  for (const auto& [name, tensor] : parse_safetensors(bytes, where, &unreadable)) {
    if (!wanted(name)) continue;
    if (const auto full = full_name(name)) add_in_parts(*full, where, tensor, config, table);
  }
  for (const auto& [name, why] : unreadable) {
    if (!wanted(name)) continue;
    if (const auto full = full_name(name)) add_unreadable_in_parts(*full, where, why, table);
  }
}

bool any(const std::string& /*name*/) { return true; }

void add_shards(const fs::path& folder, const std::map<std::string, std::string>& shards, const Config& config,
                TensorTable& table, std::vector<MappedFile>& files) {
  std::set<std::string> names, found;
  for (const auto& [tensor, shard] : shards) names.insert(shard);
  for (const std::string& shard : names) {
    files.emplace_back(folder / shard);
    const std::string where = files.back().path().string();
    add_tensors(files.back().bytes(), where, config, table, [&, &shard = shard](const std::string& name) {
      const auto it = shards.find(name);
      if (it == shards.end() || it->second != shard) return false;
      found.insert(name);
      return true;
    });
  }
  for (const auto& [name, shard] : shards) {
    if (!found.contains(name))
      fail("{}: missing tensor {}, which the index says is there", (folder / shard).string(), in_quotes(name));
  }
}

/// The folder's own name; of a snapshot in Hugging Face's cache, models--ORG--NAME/snapshots/REVISION, the model's.
std::string folder_name(const fs::path& folder) {
  fs::path full = fs::absolute(folder).lexically_normal();
  if (!full.has_filename()) full = full.parent_path();
  std::string name = name_of_hub_folder(full.parent_path().parent_path().filename().string());
  return name.empty() ? full.filename().string() : name;
}

std::unique_ptr<Checkpoint> make(Config config, TensorTable table, const std::function<TokenizerData()>& tokenizer,
                                 std::vector<MappedFile> files) {
  const HfModelType* const type = type_of(config);
  // transformers round gemma's to the type of the embeddings; here bf16 alone is one to be computed in.
  if (type != nullptr && type->gemma && table.get(embeddings_name, {config.vocab, config.hidden}).dtype == DType::bf16)
    config.embedding_scale = from_bf16(to_bf16(config.embedding_scale));
  return make_checkpoint(std::move(config), std::move(table), tokenizer, std::move(files));
}

}  // namespace

std::unique_ptr<Checkpoint> read_safetensors(std::string_view config_json, std::span<const std::byte> bytes,
                                             const std::string& where) {
  Config config = read_hf_config(config_json, {}, where);
  TensorTable table(where);
  add_tensors(bytes, where, config, table, any);
  const auto no_tokenizer = [where]() -> TokenizerData { fail("{}: has no tokenizer", where); };
  return make(std::move(config), std::move(table), no_tokenizer, {});
}

std::unique_ptr<Checkpoint> open_safetensors(const fs::path& folder) {
  const std::string where = folder.string();
  const fs::path single = folder / "model.safetensors";
  const fs::path index = folder / "model.safetensors.index.json";
  const fs::path generation = folder / "generation_config.json";
  if (!is_there(folder / "config.json"))
    fail("{}: no config.json; a model is a GGUF file, or a folder with config.json and *.safetensors", where);
  Config config =
      read_hf_config(read_file(folder / "config.json"), is_there(generation) ? read_file(generation) : "", where);
  config.name = folder_name(folder);
  TensorTable table(where);
  std::vector<MappedFile> files;
  if (is_there(single)) {
    files.emplace_back(single);
    add_tensors(files.back().bytes(), single.string(), config, table, any);
  } else if (is_there(index)) {
    add_shards(folder, read_index(index), config, table, files);
  } else {
    fail("{}: neither model.safetensors nor model.safetensors.index.json is there", where);
  }
  return make(
      std::move(config), std::move(table), [where] { return read_tokenizer_json(where); }, std::move(files));
}

}  // namespace layerboost
