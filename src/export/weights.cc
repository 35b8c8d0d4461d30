#include "export/weights.h"

#include <algorithm>
#include <vector>

#include "artifact/parameters_file.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "model/safetensors_writer.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

struct Item {
  std::string name;
  std::vector<std::int64_t> shape;
  const NamedParameter* parameter = nullptr;  // nullptr: a weight of the checkpoint

  [[nodiscard]] std::size_t bytes() const {
    std::size_t count = parameter != nullptr ? sizeof(float) : sizeof(std::uint16_t);
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    return count;
  }
};

/// Parameters first: what has larger elements lies at multiples of their size.
std::vector<Item> items_of(const ExportSource& source, const Config& exported) {
  std::vector<Item> items;
  for (const auto& [name, parameter] : source.parameters)
    items.push_back({"model." + name, parameter.shape, &parameter});
  for_each_tensor(exported, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    items.push_back({name, shape});
  });
  return items;
}

std::vector<std::vector<Item>> shards_of(const std::vector<Item>& items, std::size_t shard_bytes) {
  std::vector<std::vector<Item>> shards(1);
  std::size_t size = 0;
  for (const Item& item : items) {
    if (size > 0 && size + item.bytes() > shard_bytes) {
      shards.emplace_back();
      size = 0;
    }
    shards.back().push_back(item);
    size += item.bytes();
  }
  return shards;
}

/// `exported`: its configuration, by which norms are written without their 1.
std::vector<float> values_of(const ExportSource& source, const Config& exported, const Item& item) {
  const Tensor& tensor = source.checkpoint.tensor(item.name, item.shape);
  const std::int64_t rows = tensor.rows(), columns = tensor.cols();
  const Config& base = source.checkpoint.config();
  const bool without_one = exported.norms_plus_one && !base.norms_plus_one && item.name.ends_with("norm.weight");
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < rows; ++row) {
    float* const out = values.data() + row * columns;
    read_rows(tensor, row, 1, out);
    if (source.change != nullptr) source.change->apply(item.name, row, {out, static_cast<std::size_t>(columns)});
    for (std::int64_t column = 0; without_one && column < columns; ++column) out[column] -= 1;
  }
  return values;
}

std::string shard_name(std::size_t index, std::size_t count) {
  if (count == 1) return "model.safetensors";
  return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

void remove_earlier(const fs::path& directory) {
  if (!fs::exists(directory)) return;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("model") && (name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json")))
      found.push_back(entry.path());
  }
  for (const fs::path& file : found) fs::remove(file);
}

}  // namespace

void export_weights(const ExportSource& source, const Config& exported, const fs::path& directory,
                    std::size_t shard_bytes) {
  remove_earlier(directory);
  const std::vector<Item> items = items_of(source, exported);
  const auto shards = shards_of(items, shard_bytes);
  Progress progress("exporting", static_cast<std::int64_t>(items.size()), "tensors");
  Json places = Json::object();
  std::size_t total = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    SafetensorsWriter writer;
    writer.set_metadata({{"format", "pt"}});
    const std::string file = shard_name(i, shards.size());
    for (const Item& item : shards[i]) {
      if (item.parameter != nullptr)
        writer.add(item.name, item.shape, item.parameter->values, DType::f32);
      else
        writer.add(item.name, item.shape, values_of(source, exported, item), DType::bf16);
      places[item.name] = file;
      progress.advance();
    }
    total += writer.size();
    writer.write(directory / file);
  }
  if (shards.size() > 1)
    write_json(directory / "model.safetensors.index.json",
               {{"metadata", {{"total_size", total}}}, {"weight_map", places}});
}

}  // namespace layerboost
