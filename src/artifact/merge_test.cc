#include "artifact/merge.h"

#include <gtest/gtest.h>

#include "artifact/healed_for_tests.h"
#include "artifact/int8_calibration.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// The largest difference of a text's log-probabilities.
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
    const auto expected = load_model(written, precision), merged = load_model(small.base, precision, nullptr, &change);
    EXPECT_EQ(distance(*merged, *expected, small.plan.specs()), 0);
    EXPECT_EQ(merged->hash, small.model_hash);
  }
  const auto unchanged = load_model(small.base, Precision::f32);
  const auto merged = load_model(small.base, Precision::f32, nullptr, &change);
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

TEST(Merge, Int8IsCalibratedForTheMergedWeights) {
  const test::SmallHealed small;
  const AdapterChange change(small.adapter, small.config, "sha256:a");
  const fs::path cache = small.root / "cache";
  const char* const before = std::getenv("XDG_CACHE_HOME");
  const std::string saved = before != nullptr ? before : "";
  ::setenv("XDG_CACHE_HOME", cache.c_str(), 1);
  const ModelUse use{&change, "sha256:p sha256:a", [](const Model& model) { return std::make_unique<MixerSet>(model); },
                     small.plan.specs()};
  const auto merged = open_model(small.base, Precision::int8, &use);
  EXPECT_FALSE(fs::exists(small.base / "calibration.json"));
  const auto count = [&] { return std::distance(fs::directory_iterator(cache / "layerboost/calibration"), {}); };
  EXPECT_EQ(count(), 1);
  (void)open_model(small.base, Precision::int8, &use);
  EXPECT_EQ(count(), 1);
  ModelUse other = use;
  other.key = "sha256:p sha256:b";
  (void)open_model(small.base, Precision::int8, &other);
  EXPECT_EQ(count(), 2);
  if (before != nullptr)
    ::setenv("XDG_CACHE_HOME", saved.c_str(), 1);
  else
    ::unsetenv("XDG_CACHE_HOME");
  const auto exact = load_model(small.base, Precision::f32, nullptr, &change);
  const auto unchanged = load_model(small.base, Precision::f32);
  EXPECT_LT(distance(*merged, *exact, small.plan.specs()), distance(*unchanged, *exact, small.plan.specs()) / 3);
}

}  // namespace
}  // namespace layerboost
