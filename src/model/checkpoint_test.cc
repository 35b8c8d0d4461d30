#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error_for_tests.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"
#include "model/model.h"
#include "model/tensor_names.h"
#include "model/tiny_models_for_tests.h"

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
