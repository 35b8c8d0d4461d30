// Parameters of maps on disk: a safetensors file (8 bytes of header length, JSON header, data).
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "mixer/mixers.h"

namespace layerboost {
namespace {

std::string weight_name(int layer) { return fmt::format("layers.{}.map.weight", layer); }
std::string bias_name(int layer) { return fmt::format("layers.{}.map.bias", layer); }

/// The values of one tensor of shape `shape`; `header` and `data` are the file's parts.
std::vector<float> tensor(const Json& header, std::string_view data, const std::string& name,
                          const std::vector<std::int64_t>& shape, const std::string& where) {
  const Json entry = get<Json>(header, name.c_str(), where);
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  const auto offsets = get<std::vector<std::size_t>>(entry, "data_offsets", where);
  if (get<std::string>(entry, "dtype", where) != "F32" ||
      get<std::vector<std::int64_t>>(entry, "shape", where) != shape || offsets.size() != 2 ||
      offsets[1] > data.size() || offsets[0] > offsets[1] || offsets[1] - offsets[0] != count * sizeof(float))
    fail("{}: tensor {} is not F32 of shape [{}], or lies outside the file", where, name, fmt::join(shape, ", "));
  std::vector<float> values(count);
  std::memcpy(values.data(), data.data() + offsets[0], count * sizeof(float));
  return values;
}

}  // namespace

LayerMaps read_maps(const std::filesystem::path& path, const Config& config) {
  const std::string content = read_file(path), where = path.string();
  std::uint64_t header_size = 0;
  if (content.size() >= sizeof header_size) std::memcpy(&header_size, content.data(), sizeof header_size);
  if (content.size() < sizeof header_size || header_size > content.size() - sizeof header_size)
    fail("{} is not a safetensors file", where);
  const std::string_view rest = std::string_view(content).substr(sizeof header_size);
  const Json header = parse_json(rest.substr(0, header_size), where);
  const std::string_view data = rest.substr(header_size);
  LayerMaps maps;
  for (int layer = 0; layer < config.layers; ++layer) {
    if (!header.contains(weight_name(layer))) continue;
    const std::int64_t D = config.hidden;
    maps[layer] = {tensor(header, data, weight_name(layer), {D, D}, where),
                   tensor(header, data, bias_name(layer), {D}, where)};
  }
  return maps;
}

void write_maps(const std::filesystem::path& path, const LayerMaps& maps) {
  Json header = Json::object();
  std::string data;
  const auto add = [&](const std::string& name, const std::vector<float>& values,
                       const std::vector<std::size_t>& shape) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  };
  for (const auto& [layer, map] : maps) {
    const std::size_t D = map.bias.size();
    add(weight_name(layer), map.weight, {D, D});
    add(bias_name(layer), map.bias, {D});
  }
  const std::string text = header.dump();
  const std::uint64_t header_size = text.size();
  std::string content(reinterpret_cast<const char*>(&header_size), sizeof header_size);
  write_file(path, content + text + data);
}

}  // namespace layerboost
