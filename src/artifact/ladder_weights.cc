#include "artifact/ladder_weights.h"

#include <algorithm>

#include "artifact/parameters_file.h"
#include "base/error.h"
#include "model/safetensors_file.h"
#include "model/safetensors_writer.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

/// "layers.3.q_proj"
std::string projection_name(int layer, const char* part) { return fmt::format("layers.{}.{}_proj", layer, part); }

std::vector<float> take_projection(std::map<std::string, Tensor>& tensors, int layer, const char* part,
                                   const MatrixShape& shape, const std::string& where) {
  const std::string name = projection_name(layer, part);
  const auto found = tensors.find(name);
  if (found == tensors.end()) fail("{}: has no {}", where, name);
  const std::vector<std::int64_t> expected = {shape.out, shape.in};
  if (found->second.shape != expected)
    fail("{}: tensor {} has shape [{}]; expected [{}]", where, name, fmt::join(found->second.shape, ", "),
         fmt::join(expected, ", "));
  std::vector<float> matrix(static_cast<std::size_t>(shape.out * shape.in));
  read_rows(found->second, 0, shape.out, matrix.data());
  tensors.erase(found);
  return matrix;
}

constexpr std::string_view name_begins = "ladder-", name_ends = ".safetensors", hex_digits = "0123456789abcdef";

}  // namespace

fs::path ladder_weights_file(const fs::path& directory, const std::string& hash) {
  LB_CHECK(is_content_hash(hash));
  const std::string digits = hash.substr(hash.find(':') + 1, 16);
  return directory / fmt::format("{}{}{}", name_begins, digits, name_ends);
}

void remove_other_ladder_weights(const fs::path& directory, const std::string& hash) {
  const std::string kept = ladder_weights_file(directory, hash).filename().string();
  const auto is_other = [&](const std::string& name) {
    return name.size() == kept.size() && name.starts_with(name_begins) && name.ends_with(name_ends) && name != kept &&
           name.find_first_not_of(hex_digits, name_begins.size()) == name.size() - name_ends.size();
  };
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(directory))
    if (is_other(entry.path().filename().string())) others.push_back(entry.path());
  for (const fs::path& other : others) fs::remove(other);
}

std::string write_ladder_weights(const fs::path& directory, const Config& config, const LadderWeights& weights) {
  SafetensorsWriter writer;
  MixerParameters parameters;
  std::vector<MixerSpec> specs(static_cast<std::size_t>(config.layers), full_attention);
  for (const auto& [layer, learnt] : weights) {
    specs[static_cast<std::size_t>(layer)] = learnt.mixer;
    parameters[{layer, learnt.mixer.kind}] = learnt.parameters;
    const MatrixShape q = shape_of(config, LayerPart::q), o = shape_of(config, LayerPart::o);
    writer.add(projection_name(layer, "q"), {q.out, q.in}, learnt.q, DType::bf16);
    writer.add(projection_name(layer, "o"), {o.out, o.in}, learnt.o, DType::bf16);
  }
  for (const auto& [name, tensor] : named_parameters(config, parameters, specs))
    writer.add(name, tensor.shape, tensor.values, DType::f32);
  const std::string bytes = writer.file();
  std::string hash = content_hash(bytes);
  write_file(ladder_weights_file(directory, hash), bytes);
  return hash;
}

LadderWeights read_ladder_weights(const fs::path& directory, const Config& config, std::span<const MixerSpec> specs,
                                  const std::string& hash) {
  const fs::path file = ladder_weights_file(directory, hash);
  const std::string where = file.string();
  const MappedFile mapped(file);
  if (const std::string found = content_hash(mapped.text()); found != hash)
    fail("{}: isn't what ladder.json was made with (expected {}, found {})", where, hash, found);
  std::map<std::string, Tensor> tensors = parse_safetensors(mapped.bytes(), where);
  LadderWeights weights;
  for (int layer = 0; layer < config.layers; ++layer) {
    const MixerSpec& spec = specs[static_cast<std::size_t>(layer)];
    if (!must_be_trained(spec.kind)) continue;
    LearntLayer& learnt = weights[layer];
    learnt.mixer = spec;
    learnt.q = take_projection(tensors, layer, "q", shape_of(config, LayerPart::q), where);
    learnt.o = take_projection(tensors, layer, "o", shape_of(config, LayerPart::o), where);
  }
  MixerParameters parameters = parameters_of(config, read_named(tensors), where, specs);
  for (auto& [layer, learnt] : weights) {
    const auto found = parameters.find({layer, learnt.mixer.kind});
    if (found == parameters.end())
      fail("{}: has no parameters of {} for layer {}", where, to_string(learnt.mixer), layer);
    learnt.parameters = std::move(found->second);
    parameters.erase(found);
  }
  if (!parameters.empty())
    fail("{}: has parameters of layer {}, which doesn't learn", where, parameters.begin()->first.first);
  return weights;
}

LearntChange::LearntChange(std::shared_ptr<const LadderWeights> weights, std::shared_ptr<const WeightChange> below,
                           const std::string& weights_hash)
    : weights_(std::move(weights)),
      below_(std::move(below)),
      hash_(below_ == nullptr ? weights_hash : content_hash(below_->hash() + weights_hash)) {
  for (const auto& [layer, learnt] : *weights_) {
    matrices_[weight_name(layer, LayerPart::q)] = &learnt.q;
    matrices_[weight_name(layer, LayerPart::o)] = &learnt.o;
  }
}

void LearntChange::apply(const std::string& tensor, std::int64_t row, std::span<float> values) const {
  if (const auto found = matrices_.find(tensor); found != matrices_.end())
    std::copy_n(found->second->begin() + row * std::ssize(values), values.size(), values.begin());
  else if (below_ != nullptr)
    below_->apply(tensor, row, values);
}

bool LearntChange::changes(const std::string& tensor) const {
  return matrices_.contains(tensor) || (below_ != nullptr && below_->changes(tensor));
}

void use_weights(MixerSet& mixers, const Model& model, const LadderWeights& weights) {
  const auto not_owned = std::shared_ptr<const LadderWeights>(std::shared_ptr<void>(), &weights);
  const LearntChange change(not_owned, nullptr, "");
  for (const auto& [layer, learnt] : weights) {
    mixers.set_parameters(layer, learnt.mixer.kind, learnt.parameters);
    mixers.set_projections(layer, learnt.mixer.kind, load_projections(model.weights, layer, change));
  }
}

}  // namespace layerboost
