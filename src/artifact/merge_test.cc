#include "artifact/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "artifact/healed_for_tests.h"
#include "artifact/int8_calibration.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// The largest difference of a sequence's log-probabilities.
double distance(const Model& a, const Model& b, const std::vector<MixerSpec>& specs) {
  MixerSet mixers_a(a), mixers_b(b);
  const auto tokens = random_tokens(60, a.config.vocab);
  const auto of_a = token_log_probs(a, mixers_a.list(specs), tokens, 64);
  const auto of_b = token_log_probs(b, mixers_b.list(specs), tokens, 64);
  double largest = 0;
  for (std::size_t i = 0; i < of_a.size(); ++i) largest = std::max(largest, std::fabs(of_a[i] - of_b[i]));
  return largest;
}

TEST(Merge, IsTheModelOfChangedWeights) {
  const test::SmallHealed small;
  const AdapterChange change(small.adapter, small.config, "sha256:a");
  const fs::path written = small.root / "merged";
  test::write_small_model(written, small.config, &change);
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const auto expected = load_model(written, precision),
               merged = load_model(open_checkpoint(small.base), precision, nullptr, &change);
    EXPECT_EQ(distance(*merged, *expected, small.plan.specs()), 0);
    EXPECT_EQ(merged->hash, small.model_hash);
  }
  const auto unchanged = load_model(small.base, Precision::f32);
  const auto merged = load_model(open_checkpoint(small.base), Precision::f32, nullptr, &change);
  EXPECT_GT(distance(*merged, *unchanged, small.plan.specs()), 0.1);
}

TEST(Merge, AddsScaledProducts) {
  const Config config = test::small_config();
  Adapter adapter;
  adapter.rank = 2;
  adapter.alpha = 6;
  std::vector<float> a(2 * 48, 0), b(64 * 2, 0);
  a[3] = 5, a[48 + 3] = 7;            // A[0, 3], A[1, 3]
  b[2 * 10] = 2, b[2 * 10 + 1] = -1;  // B[10, 0], B[10, 1]
  adapter.pairs["layers.1.up"] = {2, 48, 64, a, b};
  const AdapterChange change(adapter, config, "");
  std::vector<float> row(48, 1);
  change.apply("model.layers.1.mlp.up_proj.weight", 10, row);
  EXPECT_FLOAT_EQ(row[3], 1 + 6.0F / 2 * (2 * 5 - 1 * 7));
  EXPECT_FLOAT_EQ(row[4], 1);
  change.apply("model.layers.1.mlp.up_proj.weight", 9, row);
  change.apply("model.layers.2.mlp.up_proj.weight", 10, row);
  EXPECT_FLOAT_EQ(row[3], 10);
}

/// An adapter on q, k, v and o beside a model of `precision`, with every kind of mixer that has projections, and the
/// model that it is merged into. Both have the same smoothing under int8.
struct BesideAndMerged {
  explicit BesideAndMerged(Precision precision) : smoothing(some_smoothing(precision)) {
    std::erase_if(small.adapter.pairs, [](const auto& pair) {
      return pair.first.ends_with("gate") || pair.first.ends_with("up") || pair.first.ends_with("down");
    });
    change.emplace(small.adapter, small.config, "");
    base = load_model(open_checkpoint(small.base), precision, &smoothing);
    merged = load_model(open_checkpoint(small.base), precision, &smoothing, &*change);
    const MixerParameters parameters = random_parameters(small.config);
    for (auto& set : unchanged) set = std::make_unique<MixerSet>(*base, parameters);
    for (auto& set : in_merged) set = std::make_unique<MixerSet>(*merged, parameters);
    own = std::make_unique<MixerSet>(*base, parameters, KvType::bf16, own_projections(*base, plan, *change));
  }

  [[nodiscard]] Smoothing some_smoothing(Precision precision) const {
    const Config& config = small.config;
    Smoothing result{std::vector<LayerSmoothing>(static_cast<std::size_t>(config.layers)), {}};
    if (precision != Precision::int8) return result;
    Random random(3);
    const auto some = [&](int size) {
      std::vector<float> factors(static_cast<std::size_t>(size));
      for (float& factor : factors) factor = static_cast<float>(0.5 + random.uniform());
      return factors;
    };
    for (LayerSmoothing& layer : result.layers)
      layer = {some(config.hidden), some(config.kv_size()), some(config.hidden)};
    result.head = some(config.hidden);
    return result;
  }

  test::SmallHealed small;
  const std::vector<MixerSpec> plan = specs({"softmax", "window:8+2", "hybrid:5+1", "gated:9"});
  Smoothing smoothing;
  std::optional<AdapterChange> change;
  std::unique_ptr<Model> base, merged;
  std::array<std::unique_ptr<MixerSet>, 2> unchanged, in_merged;  // two, so that their sequences are never one group
  std::unique_ptr<MixerSet> own;                                  // on `base`
};

/// The hidden states of two sequences that share steps, which `lists` are for: of a step of 40 tokens each, then of
/// single ones. [2][rows, D]
std::array<std::vector<float>, 2> hidden_of_both(const Model& model, std::array<const MixerList*, 2> lists) {
  CachePools pools;
  Runner runner(model);
  std::array<std::vector<float>, 2> result;
  Sequence first(*lists[0], pools), second(*lists[1], pools);
  const std::array tokens = {random_tokens(44, model.config.vocab, 5), random_tokens(44, model.config.vocab, 6)};
  for (std::size_t at = 0; at < 44;) {
    const std::size_t count = at == 0 ? 40 : 1, floats = count * static_cast<std::size_t>(model.config.hidden);
    const std::array<BatchItem, 2> items = {BatchItem{&first, std::span(tokens[0]).subspan(at, count)},
                                            BatchItem{&second, std::span(tokens[1]).subspan(at, count)}};
    const float* const hidden = runner.forward(items);
    for (std::size_t i = 0; i < 2; ++i)
      result[i].insert(result[i].end(), hidden + i * floats, hidden + (i + 1) * floats);
    at += count;
  }
  return result;
}

class ProjectionsBeside : public testing::TestWithParam<Precision> {};

TEST_P(ProjectionsBeside, AreWhatIsMergedAndLeaveTheModelUnchanged) {
  const BesideAndMerged both(GetParam());
  const MixerList &own = both.own->list(both.plan), &unchanged = both.unchanged[0]->list(both.plan),
                  &merged = both.in_merged[0]->list(both.plan);
  const auto tokens = random_tokens(60, both.small.config.vocab);
  const auto of_own = token_log_probs(*both.base, own, tokens, 25);
  const auto of_unchanged = token_log_probs(*both.base, unchanged, tokens, 25);
  EXPECT_EQ(of_own, token_log_probs(*both.merged, merged, tokens, 25));
  EXPECT_GT(std::fabs(of_own.back() - of_unchanged.back()), 0.01);
  const auto alone = load_model(open_checkpoint(both.small.base), GetParam(), &both.smoothing);
  EXPECT_EQ(of_unchanged,
            token_log_probs(*alone, MixerSet(*alone, random_parameters(alone->config)).list(both.plan), tokens, 25));
}

TEST_P(ProjectionsBeside, ShareStepsWithTheUnchangedModel) {
  const BesideAndMerged both(GetParam());
  const auto [own, beside] =
      hidden_of_both(*both.base, {&both.own->list(both.plan), &both.unchanged[0]->list(both.plan)});
  const auto unchanged =
      hidden_of_both(*both.base, {&both.unchanged[0]->list(both.plan), &both.unchanged[1]->list(both.plan)});
  const auto merged =
      hidden_of_both(*both.merged, {&both.in_merged[0]->list(both.plan), &both.in_merged[1]->list(both.plan)});
  EXPECT_EQ(own, merged[0]);
  EXPECT_EQ(beside, unchanged[1]);
}

INSTANTIATE_TEST_SUITE_P(, ProjectionsBeside, testing::Values(Precision::f32, Precision::bf16, Precision::int8),
                         [](const auto& precision) { return std::string(name_of(precision.param)); });

TEST(Merge, ProjectionsThatAreNotChangedAreShared) {
  test::SmallHealed small;
  std::erase_if(small.adapter.pairs, [](const auto& pair) { return pair.first != "layers.1.o"; });
  const AdapterChange change(small.adapter, small.config, "");
  const auto model = load_model(small.base, Precision::f32);
  const MixerSet mixers(*model, {}, KvType::bf16, own_projections(*model, small.plan.specs(), change));
  EXPECT_EQ(mixers.projection_bytes(), model->weights.layers[1].o.bytes());
  EXPECT_GT(mixers.projection_bytes(), 0U);
  EXPECT_EQ(MixerSet(*model).projection_bytes(), 0U);
}

TEST(Merge, Int8IsCalibratedForTheMergedWeights) {
  const test::SmallHealed small;
  const AdapterChange change(small.adapter, small.config, "sha256:a");
  const fs::path cache = small.root / "cache";
  const char* const before = std::getenv("XDG_CACHE_HOME");
  const std::string saved = before != nullptr ? before : "";
  ::setenv("XDG_CACHE_HOME", cache.c_str(), 1);
  const ModelUse use{&change, "sha256:p sha256:a", [](const Model& model) { return std::make_unique<MixerSet>(model); },
                     small.plan.specs()};
  const auto merged = load_calibrated(open_checkpoint(small.base), Precision::int8, &use);
  EXPECT_FALSE(fs::exists(small.base / "calibration.json"));
  const auto count = [&] { return std::distance(fs::directory_iterator(cache / "layerboost/calibration"), {}); };
  EXPECT_EQ(count(), 1);
  (void)load_calibrated(open_checkpoint(small.base), Precision::int8, &use);
  EXPECT_EQ(count(), 1);
  ModelUse other = use;
  other.key = "sha256:p sha256:b";
  (void)load_calibrated(open_checkpoint(small.base), Precision::int8, &other);
  EXPECT_EQ(count(), 2);
  if (before != nullptr)
    ::setenv("XDG_CACHE_HOME", saved.c_str(), 1);
  else
    ::unsetenv("XDG_CACHE_HOME");
  const auto exact = load_model(open_checkpoint(small.base), Precision::f32, nullptr, &change);
  const auto unchanged = load_model(small.base, Precision::f32);
  EXPECT_LT(distance(*merged, *exact, small.plan.specs()), distance(*unchanged, *exact, small.plan.specs()) / 3);
}

}  // namespace
}  // namespace layerboost
