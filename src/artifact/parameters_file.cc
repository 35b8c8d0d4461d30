#include "artifact/parameters_file.h"

#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "mixer/descriptor.h"
#include "model/safetensors_file.h"
#include "model/safetensors_writer.h"

namespace layerboost {
namespace {

/// The layer's, where it is of this kind.
MixerSpec spec_of(std::span<const MixerSpec> specs, int layer, MixerKind kind) {
  const auto at = static_cast<std::size_t>(layer);
  return at < specs.size() && specs[at].kind == kind ? specs[at] : MixerSpec{kind};
}

}  // namespace

std::map<std::string, NamedParameter> named_parameters(const Config& config, const MixerParameters& parameters,
                                                       std::span<const MixerSpec> specs) {
  std::map<std::string, NamedParameter> named;
  for (const auto& [key, values] : parameters) {
    const auto& [layer, kind] = key;
    const MixerSpec spec = spec_of(specs, layer, kind);
    LB_CHECK(values.size() == parameter_count(config, spec));
    auto from = values.begin();
    for (const ParameterShape& shape : parameter_shapes(config, spec)) {
      const auto end = from + static_cast<std::ptrdiff_t>(shape.count());
      named[fmt::format("layers.{}.{}.{}", layer, name_of(kind), shape.name)] = {shape.shape, {from, end}};
      from = end;
    }
  }
  return named;
}

MixerParameters parameters_of(const Config& config, const std::map<std::string, NamedParameter>& named,
                              const std::string& where, std::span<const MixerSpec> specs) {
  MixerParameters parameters;
  std::size_t used = 0;
  for (int layer = 0; layer < config.layers; ++layer) {
    for (const MixerDescriptor* descriptor : mixer_descriptors()) {
      const MixerKind kind = descriptor->kind;
      const std::string prefix = fmt::format("layers.{}.{}.", layer, name_of(kind));
      const auto first = named.lower_bound(prefix);
      if (first == named.end() || !first->first.starts_with(prefix)) continue;
      std::vector<float>& values = parameters[{layer, kind}];
      for (const ParameterShape& shape : parameter_shapes(config, spec_of(specs, layer, kind))) {
        const auto tensor = named.find(prefix + shape.name);
        if (tensor == named.end()) fail("{}: has {}, but not {}{}", where, first->first, prefix, shape.name);
        if (tensor->second.shape != shape.shape)
          fail("{}: tensor {} has shape [{}]; expected [{}]", where, tensor->first,
               fmt::join(tensor->second.shape, ", "), fmt::join(shape.shape, ", "));
        values.insert(values.end(), tensor->second.values.begin(), tensor->second.values.end());
        ++used;
      }
    }
  }
  if (used == named.size()) return parameters;
  const auto known = named_parameters(config, parameters, specs);
  for (const auto& [name, tensor] : named) {
    if (!known.contains(name)) fail("{}: tensor {} is not a parameter of a mixer of this model", where, name);
  }
  LB_CHECK(false);
}

std::map<std::string, NamedParameter> read_named(const std::map<std::string, Tensor>& tensors) {
  std::map<std::string, NamedParameter> named;
  for (const auto& [name, tensor] : tensors) {
    NamedParameter& parameter = named[name];
    parameter.shape = tensor.shape;
    Tensor flat = tensor;
    flat.shape = {std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>())};
    parameter.values.resize(static_cast<std::size_t>(flat.cols()));
    read_rows(flat, 0, 1, parameter.values.data());
  }
  return named;
}

std::filesystem::path maps_beside(const std::filesystem::path& plan_or_analysis) {
  return std::filesystem::path(plan_or_analysis).replace_extension(".maps.safetensors");
}

MixerParameters read_parameters(const std::filesystem::path& path, const Config& config,
                                std::span<const MixerSpec> specs) {
  const MappedFile file(path);
  return parameters_of(config, read_named(parse_safetensors(file.bytes(), path.string())), path.string(), specs);
}

void write_parameters(const std::filesystem::path& path, const Config& config, const MixerParameters& parameters,
                      std::span<const MixerSpec> specs) {
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : named_parameters(config, parameters, specs))
    writer.add(name, tensor.shape, tensor.values, DType::f32);
  writer.write(path);
}

}  // namespace layerboost
