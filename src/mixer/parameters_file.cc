// Parameters of mixers on disk.
#include <functional>
#include <numeric>

#include "base/file.h"
#include "mixer/parameters.h"
#include "model/safetensors_file.h"
#include "model/safetensors_writer.h"

namespace layerboost {

MixerParameters read_parameters(const std::filesystem::path& path, const Config& config) {
  const MappedFile file(path);
  std::map<std::string, NamedParameter> named;
  for (auto& [name, tensor] : parse_safetensors(file.bytes(), path.string())) {
    NamedParameter& parameter = named[name];
    parameter.shape = tensor.shape;
    Tensor flat = tensor;  // any number of dimensions
    flat.shape = {std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>())};
    parameter.values.resize(static_cast<std::size_t>(flat.cols()));
    read_rows(flat, 0, 1, parameter.values.data());
  }
  return parameters_of(config, named, path.string());
}

void write_parameters(const std::filesystem::path& path, const Config& config, const MixerParameters& parameters) {
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : named_parameters(config, parameters))
    writer.add(name, tensor.shape, tensor.values, DType::f32);
  writer.write(path);
}

}  // namespace layerboost
