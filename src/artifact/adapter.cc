#include "artifact/adapter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "model/safetensors_file.h"
#include "model/safetensors_writer.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

constexpr const char* adapter_format = "layerboost adapter";
constexpr const char* adapter_version = "1";
constexpr std::string_view suffix_a = ".lora_a", suffix_b = ".lora_b";

constexpr std::array parts = {std::pair{"q", LayerPart::q},       std::pair{"k", LayerPart::k},
                              std::pair{"v", LayerPart::v},       std::pair{"o", LayerPart::o},
                              std::pair{"gate", LayerPart::gate}, std::pair{"up", LayerPart::up},
                              std::pair{"down", LayerPart::down}};

/// N and the rest of "layers.N.REST"; N is -1 for a name of another form.
std::pair<int, std::string_view> split_name(std::string_view name) {
  constexpr std::string_view prefix = "layers.";
  if (!name.starts_with(prefix)) return {-1, {}};
  name.remove_prefix(prefix.size());
  int layer = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  const auto digits = static_cast<std::size_t>(end - name.data());
  if (error != std::errc{} || digits + 1 >= name.size() || name[digits] != '.') return {-1, {}};
  return {layer, name.substr(digits + 1)};
}

/// The values of "__metadata__", which are all texts.
class Metadata {
 public:
  Metadata(std::map<std::string, std::string> texts, const std::string& where)
      : texts_(std::move(texts)), where_(where) {}

  [[nodiscard]] const std::string& text(const char* key) const {
    const auto found = texts_.find(key);
    if (found == texts_.end()) fail("{}: not an adapter of layerboost: its metadata lack \"{}\"", where_, key);
    return found->second;
  }
  template <typename Number>
  [[nodiscard]] Number number(const char* key) const {
    const std::string& value = text(key);
    Number result{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc{} || end != value.data() + value.size() || !(result >= 0))
      fail("{}: metadata \"{}\" is \"{}\"; it should be a number, not negative", where_, key, value);
    return result;
  }

 private:
  std::map<std::string, std::string> texts_;
  const std::string& where_;
};

std::vector<float> values_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  read_rows(tensor, 0, tensor.rows(), values.data());
  return values;
}

/// Any number of dimensions.
std::vector<float> flat_values_of(Tensor tensor) {
  std::int64_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= size;
  tensor.shape = {count};
  return values_of(tensor);
}

void check_shape(const Tensor& tensor, const std::string& name, const std::vector<std::int64_t>& shape,
                 const std::string& where) {
  if (tensor.shape != shape)
    fail("{}: tensor {} has the shape [{}]; the model and the rank ask for [{}]", where, name,
         fmt::join(tensor.shape, ", "), fmt::join(shape, ", "));
}

void check_origin(const Adapter& adapter, const std::string& model_hash, const std::string& plan_hash,
                  const Config& config, const std::string& where) {
  if (adapter.model_hash != model_hash)
    fail("{}: was learnt for another model ({}) than {} ({}); give the model that it was healed from", where,
         adapter.model_hash, config.name, model_hash);
  if (adapter.plan_hash != plan_hash)
    fail("{}: was learnt for another plan ({}) than the one given ({}); give its own plan, or heal this one", where,
         adapter.plan_hash, plan_hash);
}

void read_pair(Adapter& adapter, const std::map<std::string, Tensor>& tensors, const std::string& pair_name,
               const Config& config, const std::string& where) {
  const AdaptedWeight weight = adapted_weight(pair_name, config, where);
  const std::string name_a = pair_name + std::string(suffix_a), name_b = pair_name + std::string(suffix_b);
  const auto a = tensors.find(name_a), b = tensors.find(name_b);
  if (a == tensors.end() || b == tensors.end())
    fail("{}: has tensor {}, but not {}", where, a == tensors.end() ? name_b : name_a,
         a == tensors.end() ? name_a : name_b);
  check_shape(a->second, name_a, {adapter.rank, weight.in}, where);
  check_shape(b->second, name_b, {weight.out, adapter.rank}, where);
  adapter.pairs[pair_name] = {adapter.rank, static_cast<int>(weight.in), static_cast<int>(weight.out),
                              values_of(a->second), values_of(b->second)};
}

}  // namespace

AdaptedWeight adapted_weight(const std::string& pair, const Config& config, const std::string& where) {
  const auto [layer, rest] = split_name(pair);
  const std::string_view wanted = rest;
  const auto part = std::find_if(parts.begin(), parts.end(), [&](const auto& known) { return known.first == wanted; });
  if (layer < 0 || part == parts.end())
    fail("{}: changes \"{}\"; expected layers.N.PART with a PART of q, k, v, o, gate, up, down", where, pair);
  if (layer >= config.layers)
    fail("{}: changes \"{}\", but the model's layers are 0 to {}", where, pair, config.layers - 1);
  const auto [out, in] = shape_of(config, part->second);
  return {weight_name(layer, part->second), out, in};
}

Adapter read_adapter(const fs::path& path, const Config& config, const std::string& model_hash,
                     const std::string& plan_hash) {
  const MappedFile file(path);
  const std::string where = path.string();
  const Metadata metadata(parse_safetensors_metadata(file.bytes(), where), where);
  if (metadata.text("format") != adapter_format) fail("{}: not an adapter of layerboost", where);
  if (metadata.text("version") != adapter_version)
    fail("{}: an adapter of version {}; this program reads version {}", where, metadata.text("version"),
         adapter_version);
  Adapter adapter;
  adapter.model_hash = metadata.text("model_hash");
  adapter.plan_hash = metadata.text("plan_hash");
  check_origin(adapter, model_hash, plan_hash, config, where);
  adapter.rank = metadata.number<int>("rank");
  adapter.alpha = metadata.number<double>("alpha");
  adapter.tokens = metadata.number<std::int64_t>("tokens");
  adapter.step = metadata.number<std::int64_t>("step");
  const auto tensors = parse_safetensors(file.bytes(), where);
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with(suffix_a) || name.ends_with(suffix_b)) {
      const std::string pair_name = name.substr(0, name.size() - suffix_a.size());
      if (!adapter.pairs.contains(pair_name)) read_pair(adapter, tensors, pair_name, config, where);
      continue;
    }
    const auto [layer, rest] = split_name(name);
    if (layer < 0 || layer >= config.layers)
      fail("{}: tensor {} belongs to no layer of the model, whose layers are 0 to {}", where, name, config.layers - 1);
    adapter.mixer[name] = {tensor.shape, flat_values_of(tensor)};
  }
  return adapter;
}

void write_adapter(const fs::path& path, const Adapter& adapter, DType dtype) {
  SafetensorsWriter writer;
  writer.set_metadata({{"format", adapter_format},
                       {"version", adapter_version},
                       {"model_hash", adapter.model_hash},
                       {"plan_hash", adapter.plan_hash},
                       {"rank", std::to_string(adapter.rank)},
                       {"alpha", fmt::format("{}", adapter.alpha)},
                       {"tokens", std::to_string(adapter.tokens)},
                       {"step", std::to_string(adapter.step)}});
  // f32 first: the tensors then lie at multiples of their elements' size.
  for (const auto& [name, parameter] : adapter.mixer) writer.add(name, parameter.shape, parameter.values, DType::f32);
  for (const auto& [name, pair] : adapter.pairs) {
    writer.add(name + std::string(suffix_a), {pair.rank, pair.in}, pair.a, dtype);
    writer.add(name + std::string(suffix_b), {pair.out, pair.rank}, pair.b, dtype);
  }
  writer.write(path);
}

}  // namespace layerboost
