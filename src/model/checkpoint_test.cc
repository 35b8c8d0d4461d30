#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "base/error_for_tests.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"
#include "model/gguf_models_for_tests.h"
#include "model/model.h"
#include "model/safetensors_checkpoint.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

const fs::path tiny = fs::path(LAYERBOOST_SOURCE_DIR) / "../shared/reference/tiny";

class TinyModel : public testing::TestWithParam<const char*> {};

TEST_P(TinyModel, OpensWithAllTensors) {
  if (!fs::exists(tiny)) GTEST_SKIP() << "no reference models at " << tiny;
  const std::string arch = GetParam();
  const auto model = open_checkpoint(tiny / arch);
  const Config& c = model->config();
  EXPECT_EQ(c.arch, arch);
  EXPECT_EQ(c.name, arch);
  EXPECT_EQ(c.layers, 4);
  EXPECT_EQ(c.hidden, 64);
  EXPECT_EQ(c.heads, 4);
  EXPECT_EQ(c.kv_heads, 2);
  EXPECT_EQ(c.head_size, arch == "qwen3" ? 32 : 16);
  EXPECT_EQ(c.ffn, 160);
  EXPECT_EQ(c.vocab, 384);
  EXPECT_EQ(c.max_positions, 512);
  EXPECT_FLOAT_EQ(c.norm_eps, 1e-6F);
  EXPECT_EQ(c.eos, std::vector<int>{2});
  EXPECT_EQ(c.tied_embeddings, arch.starts_with("qwen"));
  EXPECT_EQ(c.qkv_bias, arch == "qwen2");
  EXPECT_FALSE(c.o_bias || c.mlp_bias);
  EXPECT_EQ(c.qk_norm, arch == "qwen3");
  EXPECT_EQ(c.windows, std::vector<int>(4, arch == "mistral" ? 24 : 0));
  EXPECT_EQ(c.rope.scaling, arch == "llama" ? RopeConfig::Scaling::llama3 : RopeConfig::Scaling::none);
  EXPECT_EQ(c.rope.base, arch == "llama" ? 500000 : arch == "mistral" ? 10000 : 1000000);
  for_each_tensor(c, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    const Tensor& tensor = model->tensor(name, shape);
    EXPECT_EQ(tensor.dtype, DType::bf16) << name;
    EXPECT_EQ(tensor.rope_heads, 0) << name;
    std::vector<float> row(static_cast<std::size_t>(tensor.cols()));
    read_rows(tensor, tensor.rows() - 1, 1, row.data());
    double sum = 0;
    for (const float x : row) sum += std::abs(x);
    EXPECT_TRUE(sum > 0 || name.ends_with(".bias")) << name;
  });
  EXPECT_THROW((void)model->tokenizer(), Error);  // there are no tokenizer files beside them
}

INSTANTIATE_TEST_SUITE_P(Checkpoint, TinyModel, testing::Values("llama", "qwen2", "qwen3", "mistral"));

TEST(Checkpoint, HashTellsModelsApartAndIgnoresWhereTheyAre) {
  if (!fs::exists(tiny)) GTEST_SKIP() << "no reference models at " << tiny;
  EXPECT_NE(open_checkpoint(tiny / "qwen2")->hash(), open_checkpoint(tiny / "qwen3")->hash());
  const fs::path copy = test::temporary_path("hash_copy");
  fs::remove_all(copy);
  fs::copy(tiny / "qwen2", copy);
  const std::string original = open_checkpoint(tiny / "qwen2")->hash();
  EXPECT_EQ(open_checkpoint(copy)->hash(), original);
  std::string weights = read_file(copy / "model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  fs::permissions(copy / "model.safetensors", fs::perms::owner_all);
  write_file(copy / "model.safetensors", weights);
  EXPECT_NE(open_checkpoint(copy)->hash(), original);
  fs::remove_all(copy);
}

/// A checkpoint and the bytes that it reads.
struct ModelInMemory {
  std::unique_ptr<const std::string> weights;
  std::unique_ptr<Checkpoint> checkpoint;
  Checkpoint* operator->() const { return checkpoint.get(); }
};

/// A tiny model whose config.json says more.
ModelInMemory tiny_model(const std::string& arch, const std::string& more, DType dtype = DType::bf16) {
  const Config c = test::tiny_config(arch, dtype);
  const std::string config = test::config_json(c);
  auto weights = std::make_unique<const std::string>(test::tiny_safetensors(c, dtype));
  auto checkpoint = read_safetensors(config.substr(0, config.size() - 1) + more + "}", test::as_bytes(*weights), "a");
  return {std::move(weights), std::move(checkpoint)};
}

// The hashes are those that plans were made with before such windows were dropped.
TEST(Checkpoint, WindowsThatNoTextLeavesAreNoneButInTheHash) {
  const auto model = tiny_model("mistral", ",\"sliding_window\":64");
  EXPECT_EQ(model->config().windows, (std::vector<int>{0, 0}));
  EXPECT_EQ(model->hash(), "sha256:7f7d01fcb95c6428b181db8b1ee5f932cbab7c72befccf6b159f90ebfd0d8cd5");
  EXPECT_EQ(tiny_model("mistral", ",\"sliding_window\":63")->config().windows, (std::vector<int>{63, 63}));
  const std::string bytes = test::llama_with([](test::GgufWriter& w) { w.u32("llama.attention.sliding_window", 64); });
  const auto gguf = read_gguf(test::as_bytes(bytes), "a.gguf");
  EXPECT_EQ(gguf->config().windows, (std::vector<int>{0, 0}));
  EXPECT_EQ(gguf->hash(), "sha256:aac70a7517416c01240a29792342db86b1c330f9b1373cb83e7788c23f20827a");
}

// A longer text would leave them.
TEST(Checkpoint, WindowsAsWideAsThePositionsBoundTexts) {
  const std::string dynamic = R"(,"rope_scaling":{"rope_type":"dynamic","factor":4},"sliding_window":)";
  const auto longest = [&](const std::string& window) {
    return tiny_model("mistral", dynamic + window)->config().longest_text();
  };
  EXPECT_EQ(longest("80"), 80);
  EXPECT_EQ(longest("64"), 64);
  for (const char* window : {"63", "null", "1000000"}) EXPECT_GT(longest(window), 40000) << window;
  EXPECT_EQ(tiny_model("mistral", ",\"sliding_window\":80")->config().longest_text(), 64);
}

TEST(Checkpoint, GemmasScaleIsOfTheTypeOfItsEmbeddings) {
  EXPECT_EQ(tiny_model("gemma3_text", "", DType::f32)->config().embedding_scale, std::sqrt(32.0F));
  EXPECT_EQ(tiny_model("gemma3_text", "")->config().embedding_scale, 5.65625F);  // 5.65685
}

// Whatever changes what a model computes changes its hash.
TEST(Checkpoint, EachKeyOfTheConfigurationChangesTheHash) {
  const auto each_differs = [](const char* arch, const std::vector<const char*>& changes) {
    std::map<std::string, std::string> seen{{tiny_model(arch, "")->hash(), "nothing"}};
    for (const char* change : changes) {
      const auto& [other, fresh] = seen.try_emplace(tiny_model(arch, std::string(",") + change)->hash(), change);
      EXPECT_TRUE(fresh) << arch << " " << change << " as " << other->second;
    }
  };
  each_differs("granite", {R"("embedding_multiplier":2)", R"("residual_multiplier":2)", R"("attention_multiplier":2)",
                           R"("logits_scaling":2)"});
  each_differs("smollm3", {R"("no_rope_layers":[1,0])", R"("no_rope_layers":[0,1])", R"("rope_theta":5)",
                           R"("no_rope_layers":[1,0],"use_sliding_window":true,"sliding_window":8)"});
  each_differs("phi3", {R"("partial_rotary_factor":0.5)", R"("sliding_window":8)",
                        R"("rope_scaling":{"type":"su","short_factor":[1,1],"long_factor":[2,2]})",
                        R"("rope_scaling":{"type":"su","short_factor":[1,1],"long_factor":[2,3]})",
                        R"("rope_scaling":{"type":"su","short_factor":[1,2],"long_factor":[2,2]})",
                        R"("original_max_position_embeddings":16,"rope_scaling":{"type":"su","short_factor":[1,1],)"
                        R"("long_factor":[2,2],"attention_factor":1})"});
  each_differs("gemma3_text", {R"("rope_theta":5)", R"("rope_local_base_freq":5)", R"("query_pre_attn_scalar":5)",
                               R"("sliding_window":8)", R"("sliding_window_pattern":2)",
                               R"("rope_scaling":{"rope_type":"linear","factor":8})",
                               R"("rope_parameters":{"sliding_attention":{"rope_type":"linear","factor":8}})"});
}

TEST(Checkpoint, ExportedModelsWithoutNormsHaveAHashOfTheirOwn) {
  const Config c = test::tiny_config("llama", DType::bf16);
  const std::string weights = test::tiny_safetensors(c, DType::bf16);
  const auto hash = [&](const char* norms) {
    std::string json = test::config_json(c);
    json.replace(json.find("llama"), 5, "layerboost");
    json.pop_back();
    json += fmt::format(R"(,"layerboost":{{"version":2,"base_model_type":"llama","mixers":["softmax","softmax"],)"
                        R"("rope_frequencies":[1,0.5],"rope_attention_factor":1{}}}}})",
                        norms);
    return read_safetensors(json, test::as_bytes(weights), "exported")->hash();
  };
  EXPECT_NE(hash(""), hash(R"(,"norms_before":false)"));
}

/// A tiny model's directory of its own.
class CopiedModel : public testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "config.json", test::config_json(config_));
    write_file(weights_, test::tiny_safetensors(config_, DType::bf16));
  }
  void TearDown() override { fs::remove_all(folder_); }

  Config config_ = test::tiny_config("qwen2", DType::bf16);
  fs::path folder_ = test::temporary_path("copied_model");
  fs::path weights_ = folder_ / "model.safetensors";
};

TEST_F(CopiedModel, RunsOnWhenItsFileIsCutOff) {
  const auto model = load_model(folder_, Precision::bf16);
  std::vector<float> before(static_cast<std::size_t>(config_.hidden)), after = before;
  read_rows(model->weights.embedding, 3, 1, before.data());
  fs::resize_file(weights_, 0);
  read_rows(model->weights.embedding, 3, 1, after.data());
  EXPECT_EQ(after, before);
  model->close_files();  // there is no tokenizer to build
  EXPECT_THROW((void)model->text(), Error);
}

TEST_F(CopiedModel, IsNotTakenWhereItWasWrittenToMeanwhile) {
  const std::shared_ptr<const Checkpoint> checkpoint = open_checkpoint(folder_);
  checkpoint->check_unchanged();
  std::fstream(weights_) << 'x';
  EXPECT_THAT(test::error_of([&] { (void)load_weights(checkpoint, Precision::bf16); }),
              HasSubstr("model.safetensors was changed while it was read"));
}

TEST_F(CopiedModel, SaysWhichOfItsFilesIsNoFile) {
  for (const char* name : {"config.json", "generation_config.json", "model.safetensors"}) {
    const fs::path file = folder_ / name, kept = folder_ / "kept";
    if (fs::exists(file)) fs::rename(file, kept);
    fs::create_symlink("/dev/zero", file);
    EXPECT_THAT(test::error_of([&] { (void)open_checkpoint(folder_); }), HasSubstr("is not a regular file")) << name;
    fs::remove(file);
    fs::create_symlink(name, file);
    EXPECT_THAT(test::error_of([&] { (void)open_checkpoint(folder_); }), HasSubstr("symbolic links")) << name;
    fs::remove(file);
    if (fs::exists(kept)) fs::rename(kept, file);
  }
}

std::string message_of_loading(const fs::path& path) {
  return test::error_of([&] { (void)open_checkpoint(path); });
}

TEST(Checkpoint, SaysWhatAModelIs) {
  const fs::path folder = test::temporary_path("no_model");
  fs::create_directories(folder);
  EXPECT_THAT(message_of_loading(folder), HasSubstr("no_model: no config.json"));
  EXPECT_THAT(message_of_loading(folder / "absent.gguf"), HasSubstr("absent.gguf: no such file or folder"));
  write_file(folder / "text.gguf", "some text");
  EXPECT_THAT(message_of_loading(folder / "text.gguf"), HasSubstr("text.gguf: not a GGUF file"));
  write_file(folder / "empty.gguf", "");
  EXPECT_THAT(message_of_loading(folder / "empty.gguf"), HasSubstr("empty.gguf is empty"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace layerboost
