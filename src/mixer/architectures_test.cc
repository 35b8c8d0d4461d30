// Models of other architectures than llama's, as transformers compute them.
#include <numeric>

#include "mixer/architectures_for_tests.h"

namespace layerboost {
namespace {

class Architectures : public testing::TestWithParam<std::string> {};

TEST_P(Architectures, AreAsTransformersComputeThem) {
  const Json expected = test::architecture_case(GetParam());
  const auto model = test::load_architecture(GetParam(), Precision::f32);
  MixerSet mixers(*model);
  const MixerList& list = mixers.list(native_specs(model->config));
  const std::vector<TokenId> ids = expected["ids"];
  for (const int length : {20, 40}) {
    const std::vector<double> right = expected[fmt::format("log_probs_of_{}", length)];
    // All at once: where long texts have other rotations, they have them from their beginning.
    const auto got = token_log_probs(*model, list, std::span(ids).first(static_cast<std::size_t>(length)), length);
    ASSERT_EQ(right.size() + 1, got.size());
    for (std::size_t i = 0; i < right.size(); ++i) EXPECT_NEAR(got[i + 1], right[i], 3e-5) << length << " " << i;
  }
  std::vector<TokenId> text(ids.begin(), ids.begin() + 20);
  for (const TokenId next : expected["greedy_after_20"]) {
    EXPECT_EQ(greedy(*model, list, text, 1).front(), next) << text.size();
    text.push_back(next);
  }
}

TEST_P(Architectures, AreTheSameTokenByToken) {
  const auto model = test::load_architecture(GetParam(), Precision::f32);
  MixerSet mixers(*model);
  const MixerList& list = mixers.list(native_specs(model->config));
  const std::vector<TokenId> ids = test::architecture_case(GetParam())["ids"];
  const auto text = std::span(ids).first(20);
  const auto at_once = token_log_probs(*model, list, text, 20);
  for (const int chunk : {1, 7}) {
    const auto in_chunks = token_log_probs(*model, list, text, chunk);
    for (std::size_t i = 1; i < text.size(); ++i) EXPECT_NEAR(in_chunks[i], at_once[i], 3e-5) << chunk << " " << i;
  }
}

TEST_P(Architectures, RoundedAreNearThem) {
  const std::vector<TokenId> ids = test::architecture_case(GetParam())["ids"];
  const auto log_probs = [&](Precision precision) {
    const auto model = test::load_architecture(GetParam(), precision);
    MixerSet mixers(*model);
    return token_log_probs(*model, mixers.list(native_specs(model->config)), ids, 40);
  };
  const std::vector<double> right = log_probs(Precision::f32);
  const double mean = std::accumulate(right.begin() + 1, right.end(), 0.0) / static_cast<double>(ids.size() - 1);
  for (const auto& [precision, most] : {std::pair(Precision::bf16, 0.05), std::pair(Precision::int8, 0.15)}) {
    const std::vector<double> got = log_probs(precision);
    double difference = 0, spread = 0;
    for (std::size_t i = 1; i < ids.size(); ++i) {
      difference += std::abs(got[i] - right[i]);
      spread += std::abs(right[i] - mean);
    }
    EXPECT_LT(difference, most * spread) << name_of(precision);
  }
}

// The window of 40 is full attention for texts of up to 40 tokens, which these are compared with.
TEST(WindowsOfArchitectures, WiderThanThePositionsAreNotLeft) {
  const auto model = test::load_architecture("mistral-dynamic", Precision::f32);
  EXPECT_EQ(model->config.max_positions, 24);
  EXPECT_EQ(model->config.windows, std::vector<int>(4, 0));
  EXPECT_EQ(model->config.longest_text(), 40);
}

// A dual state is made of keys before RoPE: folding turns those of the cache back, as far as the layer has turned them.
// What is above it attends to nothing: it would have read something else.
TEST_P(Architectures, FoldIntoStates) {
  const auto model = test::load_architecture(GetParam(), Precision::f32);
  MixerSet mixers(*model, random_parameters(model->config));
  const std::vector<TokenId> ids = test::architecture_case(GetParam())["ids"];
  CachePools pools;
  Runner runner(*model);
  const auto read = [&](Sequence& sequence, std::size_t first, std::size_t count) {
    const BatchItem item{&sequence, std::span(ids).subspan(first, count)};
    const float* const hidden = runner.forward({&item, 1});
    return std::vector<float>(hidden, hidden + static_cast<std::ptrdiff_t>(count) * model->config.hidden);
  };
  for (std::size_t layer = 0; layer < 4; ++layer) {
    SCOPED_TRACE(layer);
    std::vector<MixerSpec> before(4, full_attention);
    std::fill(before.begin() + static_cast<std::ptrdiff_t>(layer) + 1, before.end(), parse_mixer("none"));
    std::vector<MixerSpec> after = before;
    after[layer] = parse_mixer("dual_state");
    Sequence folded(mixers.list(before), pools), right(mixers.list(after), pools);
    read(folded, 0, 20);
    read(right, 0, 20);
    ASSERT_TRUE(folded.fold(mixers.list(after), [&](const Mixer& /*mixer*/) { return &pools; }));
    const auto got = read(folded, 20, 3), expected = read(right, 20, 3);
    double largest = 0;
    for (const float value : expected) largest = std::max(largest, std::abs(static_cast<double>(value)));
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 2e-6 * largest) << i;
  }
}

// Less is told there than in config.json.
TEST(ArchitecturesInGguf, ComputeTheSame) {
  for (const auto& [name, arch] : {std::pair("gemma2", "gemma2"), std::pair("gemma3_text", "gemma3")}) {
    SCOPED_TRACE(name);
    const auto right = test::load_architecture(name, Precision::f32);
    const fs::path file = test::temporary_path("architecture.gguf");
    write_file(file, test::gemma_in_gguf(*right->weights.checkpoint, arch));
    const auto model = load_model(file, Precision::f32);
    fs::remove(file);  // the map stays
    EXPECT_EQ(model->config.score_scale(), 1 / std::sqrt(8.0F));
    model->config.attention_scale = right->config.attention_scale;  // which those files have no room for
    EXPECT_EQ(model->config.windows, right->config.windows);
    MixerSet mixers(*right), from_gguf(*model);
    const std::vector<TokenId> ids = test::architecture_case(name)["ids"];
    const auto expected = token_log_probs(*right, mixers.list(native_specs(right->config)), ids, 40);
    const auto got = token_log_probs(*model, from_gguf.list(native_specs(model->config)), ids, 40);
    for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, Architectures, testing::ValuesIn(test::architecture_names()),
                         test::architecture_in_letters);

}  // namespace
}  // namespace layerboost
