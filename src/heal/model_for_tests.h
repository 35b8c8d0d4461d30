// For tests: a small model file with a tokenizer, in a folder of its own that is also the cache.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "artifact/plan.h"
#include "base/cpu.h"
#include "base/random.h"
#include "base/temporary_path_for_tests.h"
#include "model/model.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost::test {

/// A GGUF llama of 3 layers, D 32, H 2, G 1, d 16, F 32 with normal random weights, which reads the letters a and b, or
/// what the tokenizer reads that `put_its_tokenizer` writes: of at most 5 tokens.
inline void write_lettered_model(const fs::path& path, void (*put_its_tokenizer)(GgufWriter&) = put_tokenizer) {
  Config config = tiny_config("llama", DType::f32);
  config.layers = 3;
  config.head_size = 16;
  config.ffn = 32;
  config.max_positions = 256;
  config.windows.assign(3, 0);
  GgufWriter writer;
  put_config(writer, config);
  put_its_tokenizer(writer);
  Random random(3);
  for_each_tensor(config, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    const bool matrix = shape.size() == 2;
    std::string data;
    for (std::int64_t i = 0; i < (matrix ? shape[0] : 1) * shape.back(); ++i)
      put(data, static_cast<float>(matrix ? random.normal() / 4 : 1 + 0.1 * random.normal()));
    writer.tensor(gguf_name(name), shape, ggml_type(DType::f32), data);
  });
  write_file(path, writer.file());
}

/// The folder, the model and a plan for it; everything goes when the object does.
class HealFolder {
 public:
  explicit HealFolder(const std::string& name) : root_(test::temporary_path(name)) {
    fs::remove_all(root_);
    use_threads(1);  // of so little work, threads would only wait for each other
    if (const char* before = std::getenv("XDG_CACHE_HOME")) before_ = before;  // NOLINT(concurrency-mt-unsafe)
    ::setenv("XDG_CACHE_HOME", root_.c_str(), 1);                              // NOLINT(concurrency-mt-unsafe)
    write_lettered_model(root_ / "model.gguf");
    model_ = load_model(root_ / "model.gguf", Precision::f32);
  }
  ~HealFolder() {
    if (before_.empty())
      ::unsetenv("XDG_CACHE_HOME");  // NOLINT(concurrency-mt-unsafe)
    else
      ::setenv("XDG_CACHE_HOME", before_.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
    fs::remove_all(root_);
  }
  HealFolder(const HealFolder&) = delete;
  HealFolder& operator=(const HealFolder&) = delete;

  [[nodiscard]] const Model& model() const { return *model_; }
  [[nodiscard]] fs::path path(const std::string& name) const { return root_ / name; }

  /// Writes a file and returns its name.
  [[nodiscard]] std::string file(const std::string& name, const std::string& content) const {
    write_file(root_ / name, content);
    return (root_ / name).string();
  }

  /// JSON Lines of `count` random texts of `letters` letters.
  [[nodiscard]] std::string corpus(const std::string& name, int count, int letters) const {
    Random random(17);
    std::string lines;
    for (int i = 0; i < count; ++i) {
      std::string text;
      for (int j = 0; j < letters; ++j) text += random.below(3) == 0 ? 'b' : 'a';
      lines += Json{{"text", text}}.dump() + "\n";
    }
    return file(name, lines);
  }

  /// Writes plan.json of these mixers.
  [[nodiscard]] fs::path plan(const std::vector<MixerSpec>& specs) const {
    Plan plan;
    plan.model_name = "letters";
    plan.model_hash = model_->hash;
    for (const MixerSpec& spec : specs) plan.layers.push_back({spec, {}});
    write_plan(root_ / "plan.json", plan);
    return root_ / "plan.json";
  }

 private:
  fs::path root_;
  std::string before_;
  std::unique_ptr<Model> model_;
};

}  // namespace layerboost::test
