#include "artifact/adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "artifact/parameters_file.h"
#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"
#include "kernels/bf16.h"
#include "model/safetensors_writer.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class AdapterFile : public testing::Test {
 protected:
  AdapterFile() : path_(test::temporary_path("adapter.safetensors")) {
    adapter_.model_hash = "sha256:m";
    adapter_.plan_hash = "sha256:p";
    adapter_.rank = 2;
    adapter_.alpha = 4.5;
    adapter_.tokens = 123456789012;
    adapter_.step = 17;
    add_pair("layers.0.q", 32, 8);
    add_pair("layers.1.k", 32, 4);
    add_pair("layers.1.o", 8, 32);
    add_pair("layers.1.down", 6, 32);
    adapter_.mixer["layers.1.hybrid.gamma"] = {{2, 1, 3}, {1, 2, 3, 4, 5, 0.1F}};
  }
  ~AdapterFile() override { fs::remove(path_); }

  void add_pair(const std::string& name, int in, int out) {
    LoraPair pair{adapter_.rank, in, out, {}, {}};
    for (int i = 0; i < adapter_.rank * in; ++i) pair.a.push_back(0.01F * static_cast<float>(i));
    for (int i = 0; i < adapter_.rank * out; ++i) pair.b.push_back(-0.02F * static_cast<float>(i));
    adapter_.pairs[name] = pair;
  }
  [[nodiscard]] Adapter read() const { return read_adapter(path_, config_, "sha256:m", "sha256:p"); }

  /// The message when the written file is read; it names the file and is one line.
  [[nodiscard]] std::string message() const {
    const std::string message = test::error_of([&] { (void)read(); });
    EXPECT_THAT(message, testing::AnyOf("no error", HasSubstr(path_.string())));
    return message;
  }

  const Config config_ = test::tiny_config("llama", DType::f32);
  const fs::path path_;
  Adapter adapter_;
};

TEST_F(AdapterFile, ComesBackAsItWas) {
  write_adapter(path_, adapter_, DType::f32);
  const Adapter read_back = read();
  EXPECT_EQ(read_back.rank, 2);
  EXPECT_EQ(read_back.alpha, 4.5);
  EXPECT_EQ(read_back.tokens, 123456789012);
  EXPECT_EQ(read_back.step, 17);
  ASSERT_EQ(read_back.pairs.size(), adapter_.pairs.size());
  for (const auto& [name, pair] : adapter_.pairs) {
    EXPECT_EQ(read_back.pairs.at(name).a, pair.a) << name;
    EXPECT_EQ(read_back.pairs.at(name).b, pair.b) << name;
    EXPECT_EQ(read_back.pairs.at(name).in, pair.in) << name;
    EXPECT_EQ(read_back.pairs.at(name).out, pair.out) << name;
  }
  const NamedParameter& gamma = read_back.mixer.at("layers.1.hybrid.gamma");
  EXPECT_EQ(gamma.shape, (std::vector<std::int64_t>{2, 1, 3}));
  EXPECT_EQ(gamma.values, adapter_.mixer.at("layers.1.hybrid.gamma").values);
}

TEST_F(AdapterFile, Bf16RoundsPairsAndKeepsMixers) {
  write_adapter(path_, adapter_, DType::bf16);
  const Adapter read_back = read();
  const std::vector<float>&before = adapter_.pairs.at("layers.0.q").a, &after = read_back.pairs.at("layers.0.q").a;
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(after[i], from_bf16(to_bf16(before[i])));
  EXPECT_EQ(read_back.mixer.at("layers.1.hybrid.gamma").values[5], 0.1F);
}

TEST_F(AdapterFile, RefusesAnotherModelOrPlan) {
  adapter_.model_hash = "sha256:other";
  write_adapter(path_, adapter_, DType::f32);
  EXPECT_THAT(message(), AllOf(HasSubstr("another model"), HasSubstr("sha256:other"), HasSubstr("sha256:m")));
  adapter_.model_hash = "sha256:m";
  adapter_.plan_hash = "sha256:other";
  write_adapter(path_, adapter_, DType::f32);
  EXPECT_THAT(message(), AllOf(HasSubstr("another plan"), HasSubstr("sha256:other"), HasSubstr("sha256:p")));
}

TEST_F(AdapterFile, RefusesTensorsThatDontFit) {
  const auto after = [this](const std::function<void()>& change) {
    const Adapter saved = adapter_;
    change();
    write_adapter(path_, adapter_, DType::f32);
    adapter_ = saved;
    return message();
  };
  EXPECT_THAT(after([&] { add_pair("layers.0.q", 31, 8); }), HasSubstr("layers.0.q.lora_a has the shape [2, 31]"));
  EXPECT_THAT(after([&] { add_pair("layers.0.v", 32, 5); }), HasSubstr("layers.0.v.lora_b has the shape [5, 2]"));
  EXPECT_THAT(after([&] { add_pair("layers.0.z", 32, 5); }), HasSubstr("\"layers.0.z\""));
  EXPECT_THAT(after([&] { add_pair("layers.2.q", 32, 8); }), HasSubstr("layers are 0 to 1"));
  EXPECT_THAT(after([&] { adapter_.mixer["layers.7.map.bias"] = {{1}, {1}}; }), HasSubstr("layers.7.map.bias"));
  EXPECT_THAT(after([&] {
                adapter_.mixer["layers.0.k.lora_a"] = {{2, 32}, std::vector<float>(64)};
              }),
              HasSubstr("but not layers.0.k.lora_b"));
}

TEST_F(AdapterFile, RefusesOtherFiles) {
  write_file(path_, "not safetensors at all");
  EXPECT_THAT(message(), HasSubstr("not a safetensors file"));
  SafetensorsWriter writer;
  writer.add("t", {1}, std::vector<float>{1}, DType::f32);
  writer.write(path_);
  EXPECT_THAT(message(), HasSubstr("not an adapter"));
  write_adapter(path_, adapter_, DType::f32);
  const std::string whole = read_file(path_);
  write_file(path_, whole.substr(0, whole.size() - 5));
  EXPECT_THAT(message(), HasSubstr("truncated"));
}

TEST_F(AdapterFile, NamesWeights) {
  const AdaptedWeight down = adapted_weight("layers.1.down", config_, "here");
  EXPECT_EQ(down.name, "model.layers.1.mlp.down_proj.weight");
  EXPECT_EQ(down.out, 32);
  EXPECT_EQ(down.in, 6);
  EXPECT_EQ(adapted_weight("layers.0.k", config_, "here").name, "model.layers.0.self_attn.k_proj.weight");
}

}  // namespace
}  // namespace layerboost
