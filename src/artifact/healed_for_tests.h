// For tests: a small random model on disk, a plan and an adapter for it, and the directory that heal would write.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "artifact/adapter.h"
#include "artifact/healed_directory.h"
#include "artifact/plan.h"
#include "base/random.h"
#include "base/temporary_path_for_tests.h"
#include "kernels/bf16.h"
#include "model/safetensors_writer.h"
#include "model/tensor_names.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost::test {

/// Writes a model of normal random weights, in f32, as a Hugging Face directory without a tokenizer. `change` is added
/// to them.
inline void write_small_model(const fs::path& directory, const Config& config, const WeightChange* change = nullptr) {
  Random random(7);
  SafetensorsWriter writer;
  for_each_tensor(config, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    // Kept as it is in any precision.
    const bool exact = shape.size() == 1 || name == "model.embed_tokens.weight";
    std::vector<float> values = small_weights(shape, random);
    if (exact)
      for (float& value : values) value = from_bf16(to_bf16(value));
    const std::int64_t rows = shape.size() == 2 ? shape[0] : 1, columns = shape.back();
    for (std::int64_t row = 0; change != nullptr && row < rows; ++row)
      change->apply(name, row, {values.data() + row * columns, static_cast<std::size_t>(columns)});
    writer.add(name, shape, values, DType::f32);
  });
  writer.write(directory / "model.safetensors");
  write_file(directory / "config.json", config_json(config));
}

/// A random adapter of rank 2 on all weights of all layers.
inline Adapter small_adapter(const Config& config, const std::string& model_hash, const std::string& plan_hash) {
  Random random(11);
  Adapter adapter;
  adapter.model_hash = model_hash;
  adapter.plan_hash = plan_hash;
  adapter.rank = 2;
  adapter.alpha = 3;
  for (int layer = 0; layer < config.layers; ++layer) {
    for (const char* part : {"q", "k", "v", "o", "gate", "up", "down"}) {
      const std::string name = fmt::format("layers.{}.{}", layer, part);
      const AdaptedWeight weight = adapted_weight(name, config, "test");
      LoraPair pair{adapter.rank, static_cast<int>(weight.in), static_cast<int>(weight.out), {}, {}};
      for (int i = 0; i < pair.rank * pair.in; ++i) pair.a.push_back(static_cast<float>(0.1 * random.normal()));
      for (int i = 0; i < pair.rank * pair.out; ++i) pair.b.push_back(static_cast<float>(0.1 * random.normal()));
      adapter.pairs[name] = pair;
    }
  }
  return adapter;
}

/// A plan of a softmax layer, a window of 8 with 2 sinks, a layer without a mixer and another softmax layer.
inline Plan small_plan(const std::string& model_hash) {
  Plan plan;
  plan.model_name = "small";
  plan.model_hash = model_hash;
  for (const MixerSpec& spec : {MixerSpec{}, MixerSpec{MixerKind::window, 8, 2}, MixerSpec{MixerKind::none, 0, 0}, {}})
    plan.layers.push_back({spec, {}});
  return plan;
}

/// ROOT/base, a small model, and ROOT/healed, healed from it; removed with the object.
struct SmallHealed {
  SmallHealed() : root(test::temporary_path("healed")), base(root / "base"), healed(root / "healed") {
    write_small_model(base, config);
    model_hash = open_checkpoint(base)->hash();
    plan = small_plan(model_hash);
    adapter = small_adapter(config, model_hash, plan.hash());
    write_plan(healed_plan(healed), plan);
    write_adapter(healed_adapter(healed), adapter, DType::f32);
    write_record();
  }
  ~SmallHealed() { fs::remove_all(root); }
  SmallHealed(const SmallHealed&) = delete;
  SmallHealed& operator=(const SmallHealed&) = delete;

  /// heal.json, for the files as they are.
  void write_record() const {
    HealedDirectory record;
    record.model_name = "nobody/knows";
    record.model_path = base;
    record.model_hash = model_hash;
    record.plan_hash = plan.hash();
    record.adapter_hash = file_hash(healed_adapter(healed));
    record.figures = {{"tokens", 1000}};
    write_healed_directory(healed, record, Json::object());
  }

  const Config config = small_config();
  const fs::path root, base, healed;
  std::string model_hash;
  Plan plan;
  Adapter adapter;
};

}  // namespace layerboost::test
